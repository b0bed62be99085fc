"""Files of torch.save and other pickles, read without executing anything in them.

A pickle names classes and functions and says what to call them with. Here every name that is not in ALLOWED becomes a
Foreign object, which keeps what it is given and does nothing, so that the argparse.Namespace, the numpy number or the
callback beside the weights is no obstacle; files that name functions of HARMFUL are refused. Python's documentation of
pickle calls this "restricting globals".
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch

# What no file of weights has a use for: whole modules, and single functions.
HARMFUL_MODULES = frozenset(
    [
        "asyncio", "code", "commands", "ctypes", "imp", "importlib", "marshal", "multiprocessing", "nt", "os", "pickle",
        "posix", "pty", "runpy", "shutil", "signal", "socket", "subprocess", "sys", "webbrowser",
    ]
)  # fmt: skip
HARMFUL = frozenset(
    f"{module}.{name}"
    for module in ("builtins", "__builtin__", "io")
    for name in ("__import__", "breakpoint", "compile", "eval", "exec", "execfile", "file", "input", "open")
)
# From a storage, which has to be large enough.
REBUILT = ("_rebuild_qtensor", "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
REBUILT_OF_TENSORS = (
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor",
)
CONSTANTS = (torch.dtype, torch.layout, torch.memory_format, torch.qscheme)
PLAIN = (bool, complex, dict, float, frozenset, int, list, set, slice, str, tuple)


class BlockedName(pickle.UnpicklingError):
    """A pickle that names a function which could do harm."""


class Foreign:
    """Stands for an object that is not read: it keeps what the pickle says of it, and does nothing.

    `name`: of its class or function, as module.name. `state`: what it was to be set up with. `items`: what was put into
    it as into a dictionary.
    """

    name = ""
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Foreign:
        made = super().__new__(cls)
        made.state, made.items = None, {}
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        self.items[len(self.items)] = value

    add = append

    def extend(self, values: Iterable[Any]) -> None:
        for value in values:
            self.append(value)


def load_pickle(path: Path) -> Any:
    """What the file `path` of torch.save, or of pickle.dump, holds, on the CPU; other objects as Foreign.

    Raises BlockedName, and for a damaged file whatever torch or pickle does.
    """
    with warnings.catch_warnings(), open(path, "rb") as file:
        warnings.simplefilter("ignore")  # of old forms of storages
        if not _is_plain(file):
            return _load(file)
        return _Unpickler(file, encoding="latin1").load()  # of Python 2 too


def _is_plain(file: BinaryIO) -> bool:
    """Whether `file` is of pickle.dump: what torch.save wrote is an archive, or begins with a pickled number."""
    start = file.read(4)
    file.seek(0)
    return start[:1] == b"\x80" and start[2:3] != b"\x8a"


def _load(file: Any) -> Any:
    return torch.load(file, map_location="cpu", pickle_module=_module(), weights_only=False)


def _module() -> Any:
    """What torch.load takes as its pickle module, in which the name of an unpickler is `Unpickler`."""
    return SimpleNamespace(
        Unpickler=_Unpickler,
        UnpicklingError=pickle.UnpicklingError,
        load=lambda file, **options: _Unpickler(file, **options).load(),
        __name__=__name__,
    )


IN_PYTHON: Any = pickle._Unpickler  # type: ignore[attr-defined] # of which single steps can be replaced


class _Unpickler(IN_PYTHON):
    dispatch: ClassVar = dict(IN_PYTHON.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """What stands for module.name: the thing itself if it is allowed, else a class of Foreign objects."""
        full = f"{module}.{name}"
        if full in ALLOWED:
            return ALLOWED[full]()
        if module == "torch" and isinstance(value := getattr(torch, name, None), CONSTANTS):
            return value
        if full in HARMFUL or module.partition(".")[0] in HARMFUL_MODULES:
            raise BlockedName(full)
        return type(name.rpartition(".")[2], (Foreign,), {"name": full})

    def load_build(self) -> None:
        """Set up an object: not a class or a function, whose state all that is read later would share."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Foreign | np.ndarray | np.dtype):
            made: Any = self.stack[-1]
            made.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build


def _rebuilt(name: str) -> Callable[..., torch.Tensor]:
    """torch._utils.`name`, but for views that reach outside of their storage, which torch does not check."""

    def rebuild(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> torch.Tensor:
        last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
        dtype = next((each for each in rest if isinstance(each, torch.dtype)), storage.dtype)
        if min((offset, *size, *stride)) < 0 or (all(size) and last >= storage.nbytes() // dtype.itemsize):
            raise pickle.UnpicklingError("a tensor is larger than what is stored of it")
        return getattr(torch._utils, name)(storage, offset, size, stride, *rest)

    return rebuild


def _from(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(import_module(module), name)


def _same(thing: Any) -> Any:
    return thing


def _storage_of_bytes(content: bytes) -> Any:
    """As torch.storage._load_from_bytes, by which pickle.dump writes storages, but by the unpickler above."""
    return _load(io.BytesIO(content))


def _array_of_buffer(content: Any, kind: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    """As numpy._core.numeric._frombuffer, by which protocol 5 writes arrays."""
    return np.frombuffer(content, kind).reshape(shape, order="F" if order == "F" else "C")


def _bytes_of(text: str, encoding: str) -> bytes:
    """As codecs.encode, by which protocol 2 writes bytes; no other codec than that."""
    if encoding != "latin1":
        raise BlockedName(f"_codecs.encode by {encoding}")
    return text.encode(encoding)


def _made_by_copyreg(cls: Any, base: Any, state: Any) -> Any:
    """As copyreg._reconstructor, by which protocols 0 and 1 make objects, but for Foreign ones alone."""
    return cls() if isinstance(cls, type) and issubclass(cls, Foreign) else Foreign()


# "module.name" in a pickle -> what gives the thing itself.
ALLOWED: dict[str, Callable[[], Any]] = {
    **{f"torch._utils.{name}": partial(_rebuilt, name) for name in REBUILT},
    **{f"torch._utils.{name}": _from("torch._utils", name) for name in REBUILT_OF_TENSORS},
    **{f"{module}.{kind.__name__}": partial(_same, kind) for module in ("builtins", "__builtin__") for kind in PLAIN},
    "__builtin__.long": lambda: int,
    "__builtin__.unicode": lambda: str,
    "builtins.object": lambda: Foreign,
    "__builtin__.object": lambda: Foreign,
    **{
        f"{package}.multiarray.{name}": _from("numpy._core.multiarray", name)
        for package in ("numpy.core", "numpy._core")
        for name in ("_reconstruct", "scalar")
    },
    **{f"{package}.numeric._frombuffer": lambda: _array_of_buffer for package in ("numpy.core", "numpy._core")},
    "numpy.ndarray": lambda: np.ndarray,
    "numpy.dtype": lambda: np.dtype,
    "torch.Size": lambda: torch.Size,
    "torch.device": lambda: torch.device,
    "torch.Tensor": lambda: torch.Tensor,
    "torch.nn.parameter.Parameter": lambda: torch.nn.Parameter,
    "torch.serialization._get_layout": _from("torch.serialization", "_get_layout"),
    "torch.storage._load_from_bytes": lambda: _storage_of_bytes,
    "torch.storage.UntypedStorage": lambda: torch.UntypedStorage,
    "_codecs.encode": lambda: _bytes_of,
    "copyreg._reconstructor": lambda: _made_by_copyreg,
    "copy_reg._reconstructor": lambda: _made_by_copyreg,
    "collections.OrderedDict": lambda: OrderedDict,
    "collections.Counter": lambda: Counter,
}
