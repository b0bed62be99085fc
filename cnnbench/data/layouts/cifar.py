"""CIFAR-10 and CIFAR-100 from their original files, in the Python or the binary version, also inside the tar.gz.

Format: cs.toronto.edu/~kriz/cifar.html. CIFAR-100 is read with its 100 fine classes.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cnnbench.data.layouts.listing import Listing, sorted_classes
from cnnbench.data.storage.files import Pixels
from cnnbench.runtime.errors import UserError, reason

CifarImages = tuple[np.ndarray, np.ndarray]  # rows of 3072 bytes (channel, row, column), labels


def recognises(root: Path) -> bool:
    return _find(root) is not None


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in the order of the files."""
    found = _find(root)
    if found is None:
        raise UserError(f"{root} has no files of CIFAR any more")
    form, place = found
    wanted = form.train if split == "train" else form.val
    try:
        contents = _contents(place, (*wanted, form.names))
        parts = [form.read(contents[name]) for name in wanted]
        names = form.read_names(contents[form.names])
        pixels = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, 3, 32, 32)
        labels = np.concatenate([labels for _, labels in parts])
        if labels.shape != pixels.shape[:1]:
            raise ValueError(f"it has {len(labels):,} labels for {len(pixels):,} images")
        if not np.all((labels >= 0) & (labels < len(names))):
            raise ValueError(
                f"it has labels from {labels.min()} to {labels.max()}, but names {len(names)} classes, from 0"
            )
        classes, labels = sorted_classes(names, labels)
    except KeyError as error:
        raise UserError(f"{place} has no {error.args[0]}: it is incomplete") from error
    except DAMAGE as error:
        raise UserError(f"{place} cannot be read as CIFAR: {reason(error)}") from error
    depends = [place] if place.is_file() else [place / name for name in (*wanted, form.names)]
    storage = Pixels(np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), str(place))
    return Listing(str(place), classes, labels, storage, tuple(map(str, depends)))


DAMAGE = (OSError, EOFError, ValueError, TypeError, IndexError, pickle.UnpicklingError, tarfile.TarError, zlib.error)


def _read_binary(content: bytes, label_bytes: int) -> CifarImages:
    """Records of `label_bytes` (the last one counts) and 3072 bytes."""
    records = np.frombuffer(content, np.uint8).reshape(-1, label_bytes + 3072)
    return records[:, label_bytes:], records[:, label_bytes - 1]


def _read_python(content: bytes, labels: str) -> CifarImages:
    batch = _unpickle(content)
    return batch["data"], np.array(batch[labels])


def _names_in_text(content: bytes) -> list[str]:
    return content.decode().split()


def _names_in_pickle(content: bytes, key: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in _unpickle(content)[key]]


def _latin1(text: str, encoding: object = "latin1") -> bytes:
    """The bytes that Python 3 pickled as `text`, whatever `encoding` the pickle names."""
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    """Makes arrays and plain values, and nothing else: a pickle can name any function."""

    def find_class(self, module: str, name: str) -> Any:
        rebuild = np.empty(0).__reduce__()[0]
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return rebuild
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes with protocol 2
            return _latin1
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of CIFAR needs")


def _unpickle(content: bytes) -> dict[str, Any]:
    values = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in values.items()}


@dataclass(frozen=True)
class _Form:
    """One of the four downloads: its folder and archive, the files of each split and of the class names."""

    folder: str
    archive: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    names: str
    read: Callable[[bytes], CifarImages]
    read_names: Callable[[bytes], list[str]]


LARGEST = 1 << 28  # bytes of a file in the archive; theirs have at most 154 million
LEAST = 2  # files that tell a download, of which others may lack
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
FORMS = (
    _Form(
        "cifar-10-batches-py", "cifar-10-python.tar.gz", BATCHES, ("test_batch",), "batches.meta",
        partial(_read_python, labels="labels"), partial(_names_in_pickle, key="label_names"),
    ),
    _Form(
        "cifar-10-batches-bin", "cifar-10-binary.tar.gz",
        tuple(f"{name}.bin" for name in BATCHES), ("test_batch.bin",), "batches.meta.txt",
        partial(_read_binary, label_bytes=1), _names_in_text,
    ),
    _Form(
        "cifar-100-python", "cifar-100-python.tar.gz", ("train",), ("test",), "meta",
        partial(_read_python, labels="fine_labels"), partial(_names_in_pickle, key="fine_label_names"),
    ),
    _Form(
        "cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), ("test.bin",), "fine_label_names.txt",
        partial(_read_binary, label_bytes=2), _names_in_text,
    ),
)  # fmt: skip


def _find(root: Path) -> tuple[_Form, Path] | None:
    """Which download `root` is or holds, and its folder or archive."""
    for form in FORMS:
        for folder in (root, root / form.folder):
            files = [(folder / name).is_file() for name in (*form.train, *form.val, form.names)]
            if sum(files) >= LEAST:
                return form, folder
        for archive in (root, root / form.archive):
            if archive.name == form.archive and archive.is_file():
                return form, archive
    return None


def _contents(place: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files of these names in a folder or an archive; KeyError, with its name, for one that is not there."""
    if place.is_dir():
        return {name: (place / name).read_bytes() for name in names if (place / name).is_file()}
    with tarfile.open(place) as tar:
        members = {PurePosixPath(member.name).name: member for member in tar if member.isfile()}
        return {name: _member(tar, members[name]) for name in names}


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LARGEST:
        raise ValueError(f"its {member.name} is of {member.size:,} bytes, more than {LARGEST:,}")
    file = tar.extractfile(member)
    return b"" if file is None else file.read()  # None: not a file, which the caller has asked for
