"""What a key names to be written, a file or a folder: looked at before anything is computed for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Written:
    """A file, with one of `endings` if there are any, in a folder that is there; or a `folder`, which need not be."""

    endings: tuple[str, ...] = ()
    folder: bool = False


FILE, FOLDER, PNG, JSON = Written(), Written(folder=True), Written((".png",)), Written((".json",))


def check_written(key: str, name: str, written: Written) -> None:
    """Raise UserError if `name`, the value of `key`, cannot be written, as far as that is seen without trying."""
    given, path = f"{key}={name}", Path(os.path.abspath(os.path.expanduser(name)))
    if problem := _ending(path, written) or (_no_folder if written.folder else _no_file)(path, key):
        raise UserError(given + problem)
    there = next(place for place in (path, *path.parents) if os.path.isdir(place))
    if not os.access(there, os.W_OK):
        raise UserError(f"{given} cannot be written: there is no permission to write to {there}")


def _ending(path: Path, written: Written) -> str | None:
    wrong = written.endings and path.suffix not in written.endings
    return f" needs the ending {' or '.join(written.endings)}" if wrong else None


def _no_folder(path: Path, key: str) -> str | None:
    first = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if os.path.isdir(first):
        return None
    return f" is a file: give {key}=FOLDER" if first == path else f" cannot be made: {first} is no folder"


def _no_file(path: Path, key: str) -> str | None:
    if os.path.isdir(path):
        return f" is a folder: give {key}=FILE"
    if not os.path.isdir(path.parent):
        return f" cannot be written: there is no folder {path.parent}; make it first"
    if path.parent == Path("/dev") or (os.path.exists(path) and not os.path.isfile(path)):
        return f" is a device or a pipe, which a file would replace: give {key}=FILE"
    return None
