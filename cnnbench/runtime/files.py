"""Files that survive a kill and a power cut: every file that is written whole is written here."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.shell import counted_bytes

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says of a disk, a quota or a file that is full


def write_text(path: Path, text: str) -> None:
    """Replace the file `path` by one that holds `text`, in UTF-8; see `replacing`.

    Names of files may have bytes that are no UTF-8: Python holds them as surrogates, and they are written as they are.
    """
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file `path` by one that holds `content`; see `replacing`."""
    with replacing(path) as scratch:
        scratch.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Replace the file `path` by one that holds `content` as JSON, indented; see `replacing`."""
    write_text(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file beside `path` to write to: at the end of the block it is on the disk, under the name of `path`.

    Where the block or the disk fails, `path` stays as it was, and the scratch file is removed. Its folder has to exist.
    Raises OSError.
    """
    scratch = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield scratch
        sync(scratch)
        os.replace(scratch, path)
        sync(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return once what was written to the file `path`, or what was renamed in the folder `path`, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(what: object, cure: str = "") -> Iterator[None]:
    """Within this block an OSError becomes a UserError: that `what` cannot be written, why, and the `cure`, if any."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {what}: {error.strerror or error}{cure and f'; {cure}'}") from error


def check_free_space(folder: Path, needed: float, cure: str) -> None:
    """Raise UserError, which ends in `cure`, if the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder} has {counted_bytes(free)} free, and about {counted_bytes(needed)} are needed: {cure}"
        )


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """As `writing`, for a command that fills `folder` and, where that is full, goes on when it is repeated."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise UserError(f"{folder} is full: make room and repeat the command, it goes on where it was") from error
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from error
