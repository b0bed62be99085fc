"""The forms of files of weights, told by their first bytes, not by their endings."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.archs.weights import graphs, hdf5
from cnnbench.archs.weights.pickles import BlockedName, load_pickle
from cnnbench.runtime.errors import UserError, first_sentence
from cnnbench.runtime.machine import available_memory
from cnnbench.runtime.sealed import check_seal, is_sealed
from cnnbench.runtime.shell import counted_bytes

START = 512  # bytes by which a form is told
BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Content:
    """What a file holds: dictionaries and lists in any nesting with tensors, arrays and plain values in them, and the
    metadata of a safetensors file."""

    content: Any
    about: dict[str, str]


def read_content(path: Path) -> Content:
    """What the file `path` holds. Raises ValueError, in one sentence, if that cannot be read; executes nothing."""
    try:
        with open(path, "rb") as file:
            if is_sealed(file):
                check_seal(file, path)
            start = file.read(START)
        return _reader(start)(path)
    except UserError as error:
        raise ValueError(str(error)) from error
    except FileNotFoundError as error:
        raise ValueError(f"there is no weights file {path}") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path} cannot be read as weights: {_of_folder(path)}") from error
    except BlockedName as error:
        raise ValueError(
            f"{path} holds Python objects ({error}), not only tensors, and cnnbench executes none: save the state dict "
            "of the network instead"
        ) from error
    except Refused as error:
        raise ValueError(f"{path} cannot be read as weights: {error}") from error
    except Exception as error:  # no library has a common type for what a damaged file makes it raise
        raise ValueError(
            f"{path} cannot be read as weights, it may be cut short or damaged: {first_sentence(error)}"
        ) from error


class Refused(Exception):
    """A file that is whole but not of weights that can be read; says what it is, and what to do."""


def _reader(start: bytes) -> Callable[[Path], Content]:
    """The function that reads a file which begins with `start`. Raises Refused if there is none."""
    if not start:
        raise Refused("it is empty")
    if _is_safetensors(start):  # first, since the length that it begins with can be any other's sign
        return _read_safetensors
    if start.startswith(b"PK\x03\x04"):
        return _read_zip
    if start[:1] == b"\x80":
        return lambda path: Content(load_pickle(path), {})
    if start.startswith(b"{"):
        return _read_json
    if start.startswith(hdf5.SIGN):
        return lambda path: Content(hdf5.read_hdf5(path), {})
    if graphs.is_onnx(start):
        return lambda path: Content(graphs.read_onnx(path), {})
    for signs, what in STRANGERS.items():
        if start.lstrip().startswith(signs):
            raise Refused(what)
    raise Refused("it is not a file of torch.save, safetensors, numpy, Keras or ONNX")


# First bytes of what is often met in the place of weights -> what it is.
STRANGERS: dict[tuple[bytes, ...] | bytes, str] = {
    (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<?xml"): "it is a web page, not the file: download it anew",
    b"\x93NUMPY": "it is one array of numpy, not the tensors of a network: use numpy.savez",
    b"GGUF": "it is a GGUF file, of language models",
    b"version https://git-lfs": "it is a pointer of Git LFS, not the file: run `git lfs pull`",
    (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd"): "it is packed: unpack it first",
}


def _is_safetensors(start: bytes) -> bool:
    return len(start) > 8 and start[8:9] == b"{" and 0 < int.from_bytes(start[:8], "little") < 1 << 32


def _read_zip(path: Path) -> Content:
    with zipfile.ZipFile(path) as archive:
        size, free = sum(part.file_size for part in archive.infolist()), available_memory()
        if free is not None and size > free:
            raise Refused(f"it unpacks to {counted_bytes(size)}, and {counted_bytes(free)} of memory are free")
        names, wrong = archive.namelist(), _changed_parts(archive)
    if wrong:
        raise Refused(f"it is damaged: its part {wrong[0]} has changed since it was written")
    if any(name.endswith("/constants.pkl") for name in names):
        raise Refused("it is a TorchScript program: save the state dict of the network instead")
    if any(name.endswith("/data.pkl") for name in names):
        return Content(load_pickle(path), {})
    if names and all(name.endswith(".npy") for name in names):
        with np.load(path, allow_pickle=False) as arrays:
            return Content(dict(arrays), {})
    raise Refused("it is a zip archive of other files: unpack it first")


def _changed_parts(archive: zipfile.ZipFile) -> list[str]:
    """The parts of an archive that are not what their checksums say; none where no checksum was written at all."""
    wrong, parts = [], [part for part in archive.infolist() if part.file_size]
    for part in parts:
        try:
            with archive.open(part) as file:
                while file.read(BLOCK):
                    pass
        except zipfile.BadZipFile:
            wrong.append(part.filename)
    return wrong if len(wrong) < len(parts) else []


def _read_safetensors(path: Path) -> Content:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return Content({key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {})  # noqa: SIM118


def _read_json(path: Path) -> Content:
    """The files of an index of safetensors, or those of a model of TensorFlow.js, as one."""
    index = json.loads(path.read_text(encoding="utf-8"))
    about = index if isinstance(index, dict) else {}
    if isinstance(manifest := about.get("weightsManifest"), list):
        names = [str(name) for group in manifest for name in group["paths"]]
        _check_parts(path, names)
        return Content(graphs.read_tensorflow_js(path.parent, manifest), {})
    shards = about.get("weight_map")
    if not isinstance(shards, dict):
        raise Refused("it is JSON, but not the index of safetensors files or of TensorFlow.js")
    names = sorted({str(shard) for shard in shards.values()})
    _check_parts(path, names)
    content: dict[str, Any] = {}
    for name in names:
        content |= _read_safetensors(path.parent / name).content
    return Content(content, {})


def _check_parts(path: Path, names: list[str]) -> None:
    """Raise Refused unless each of the files lies beside `path`."""
    for name in names:
        if Path(name).name != name:
            raise Refused(f"its index names a file of another folder, {name}")
        if not (path.parent / name).is_file():
            raise Refused(f"{name}, a part of it, is not beside it")


def _of_folder(path: Path) -> str:
    if (path / ".metadata").exists():
        return (
            "it is a folder of torch.distributed.checkpoint: make one file of it by `python -m "
            f"torch.distributed.checkpoint.format_utils dcp_to_torch {path} FILE`"
        )
    return "it is a folder: name a file in it"
