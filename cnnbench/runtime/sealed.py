"""Checkpoints end in their own checksum, and bear a format number: every reader of one asks here before it uses it."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cnnbench import __version__
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import SystemFile

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FORMAT = 2  # counted up when an item that is there already changes its meaning, or a needed one is added
MARK = b"cnnbench sha256 "
TRAILER = len(MARK) + 64  # bytes: the mark and the checksum in hexadecimal
BLOCK = 1 << 20  # bytes read at a time


class SealedFile(io.BufferedWriter):
    """A new file to write to, which `seal` ends with the checksum of what was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(SystemFile(path, "w"))
        self.hash = hashlib.sha256()

    def write(self, data: ReadableBuffer) -> int:
        self.hash.update(data)
        return super().write(data)

    def seal(self) -> None:
        self.write(MARK + self.hash.hexdigest().encode())
        self.flush()


def sha256(file: BinaryIO, count: int) -> str:
    """The checksum, in hexadecimal, of the next `count` bytes of `file`, or of those that are left."""
    hashed = hashlib.sha256()
    while block := file.read(min(BLOCK, count)):
        hashed.update(block)
        count -= len(block)
    return hashed.hexdigest()


def is_sealed(file: BinaryIO) -> bool:
    """Whether `file` ends in a checksum, right or wrong; leaves it at its beginning."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - TRAILER))
    sealed = file.read(len(MARK)) == MARK
    file.seek(0)
    return sealed


def check_seal(file: BinaryIO, path: Path) -> None:
    """Raise UserError unless `file` ends in the checksum of what comes before; leaves it at its beginning."""
    rest = file.seek(0, os.SEEK_END) - TRAILER
    file.seek(max(0, rest))
    trailer = file.read()
    if rest < 0 or not trailer.startswith(MARK):
        raise UserError(f"{path} is damaged: its end is missing")
    file.seek(0)
    if trailer != MARK + sha256(file, rest).encode():
        raise UserError(f"{path} is damaged: its checksum is not that of its content")
    file.seek(0)


def other_format(content: dict[str, Any]) -> str | None:
    """Half a sentence that says which version wrote the checkpoint `content`, if it is not this one's format."""
    if content.get("format") == FORMAT:
        return None
    by = f"cnnbench {content['version']}" if "version" in content else "an earlier version of cnnbench"
    return f"was written by {by} in format {content.get('format', 0)}, and cnnbench {__version__} reads format {FORMAT}"
