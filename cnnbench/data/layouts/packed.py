"""Packed files, made by `cnnbench data pack`: a folder with train.cnnbench and val.cnnbench, or their shards; or one
such file by its name, beside which the others are looked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnbench.data.layouts.account import account_of
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.storage.packed import ENDING, Packed, PackedFile, open_file
from cnnbench.runtime.errors import UserError

LEFT_OUT = "broken images when it was packed"


def recognises(root: Path) -> bool:
    if root.is_file():
        return root.suffix == ENDING
    return any(any(root.glob(f"{split}*{ENDING}*")) for split in ("train", "val"))


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in the order of the files and, in each, that of packing."""
    files = _files(root, split)
    _check_complete(files)
    classes = tuple(files[0].header["classes"])
    labels = np.concatenate([file.labels for file in files])
    source = files[0].path if len(files) == 1 else f"{files[0].path} and {len(files) - 1} more"
    broken = [name for file in files for name, _ in file.left_out]
    return Listing(source, classes, labels, Packed(files), account=account_of([{LEFT_OUT: broken}]))


def _files(root: Path, split: str) -> list[PackedFile]:
    if root.is_file() and (named := open_file(str(root))).header["split"] == split and named.header["part"] == [0, 1]:
        return [named]
    folder = root.parent if root.is_file() else root
    candidates = [*folder.glob(f"{split}{ENDING}"), *folder.glob(f"{split}-*{ENDING}")]
    paths = sorted(path for path in candidates if path.is_file())
    if not paths:
        unfinished = [path.name for path in folder.glob(f"{split}*{ENDING}.*")]
        why = f" ({unfinished[0]} is not finished: repeat the command that began it)" if unfinished else ""
        raise UserError(f"{folder} has no {split}{ENDING}{why}: `cnnbench data pack` makes it")
    return sorted((open_file(str(path)) for path in paths), key=lambda file: file.header["part"])


def _check_complete(files: list[PackedFile]) -> None:
    """Raise UserError unless the files are all parts of one pack."""
    first = files[0]
    folder = Path(first.path).parent
    shared = ("recipe", "split", "classes", "source")
    for file in files[1:]:
        if any(file.header[name] != first.header[name] for name in shared):
            raise UserError(f"{file.path} and {Path(first.path).name} are parts of different packs: keep one of them")
    count = first.header["part"][1]
    missing = sorted(set(range(count)) - {file.header["part"][0] for file in files})
    if missing or len(files) != count:
        what = f"part {missing[0]} is missing" if missing else "one is there twice"
        raise UserError(f"{folder} has {len(files)} files of the {first.header['split']} split, not {count}: {what}")
