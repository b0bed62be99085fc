"""What lies where in a tar archive, from its headers alone: local or behind a URL, and also a tar within a tar."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from cnnbench.data.storage import ranges, remote
from cnnbench.runtime.errors import UserError

BLOCK = tarfile.BLOCKSIZE
LOCAL_PIECE = 1024  # bytes per read of headers: the last byte of one file, and the header of the next
REMOTE_PIECE = 8192  # a request costs more than its bytes: take a label and the headers around it in one
LARGEST = 1 << 21  # bytes of one read: headers of long names are far smaller
SMALL = 1 << 20  # bytes of a file that may come with its content
PADDING = 1 << 20  # bytes of zeros that a writer may leave at the end of an archive, amply


class TarMember(NamedTuple):
    """`length` bytes at `offset` of the archive's file; `content` is there where it was asked for."""

    name: str
    offset: int
    length: int
    content: bytes = b""


def tar_members(
    path: str, start: int = 0, length: int | None = None, contents: tuple[str, ...] = ()
) -> Iterator[TarMember]:
    """The regular files of the tar at `path`, or of the tar that is `length` bytes at `start` of it, in its order.

    Small files with an ending of `contents` come with their content, mostly out of the same read as their headers.
    Raises UserError for a tar that is damaged or cut short (with the position), and for what no honest data set
    has: absolute paths, `..`, links, devices, sparse files.
    """
    window = ByteWindow(path, start, ranges.size(path) - start if length is None else length)
    try:
        with tarfile.TarFile(fileobj=window) as tar:
            for member in tar:
                if _is_file(path, member):
                    wanted = member.name.endswith(contents) and member.size <= SMALL
                    content = window.at(member.offset_data, member.size) if wanted else b""
                    yield TarMember(member.name, start + member.offset_data, member.size, content)
            end = tar.offset
    except UserError:
        raise
    except Exception as error:  # tarfile's own, and what else a damaged header makes it raise
        if window.tell() >= window.length:
            raise UserError(f"{path} is cut short: it ends at byte {start + window.length:,}, within a file") from error
        raise UserError(f"{path} is not a tar archive, or damaged before byte {start + window.tell():,}") from error
    _check_end(path, window, end)


class ByteWindow(io.RawIOBase):
    """`length` bytes at `start` of a file or URL as a file object for tarfile, which reads it by small pieces."""

    def __init__(self, path: str, start: int, length: int) -> None:
        super().__init__()
        self.path, self.start, self.length = path, start, length
        self.least = REMOTE_PIECE if remote.is_remote(path) else LOCAL_PIECE
        self.position, self.piece, self.piece_start = 0, b"", 0

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.length}[whence]
        self.position = base + position
        return self.position

    def tell(self) -> int:
        return self.position

    def at(self, position: int, count: int) -> bytes:
        self.seek(position)
        return self.read(count)

    def read(self, count: int = -1) -> bytes:
        rest = max(0, self.length - self.position)
        count = rest if count < 0 else min(count, rest)
        if count == 0:
            return b""
        if count > LARGEST:
            at = self.start + self.position
            raise UserError(
                f"{self.path} is damaged before byte {at:,}: a header says that {count:,} bytes belong to it"
            )
        at = self.position - self.piece_start
        if not 0 <= at <= at + count <= len(self.piece):
            wanted = min(max(count, self.least), self.length - self.position)
            self.piece = ranges.read_range(self.path, self.start + self.position, wanted)
            self.piece_start, at = self.position, 0
        self.position += count
        return self.piece[at : at + count]


def _is_file(path: str, member: tarfile.TarInfo) -> bool:
    """Whether `member` is a plain file; UserError if it is neither that nor a folder, or leads out of the archive."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise UserError(f"{path} is refused: its member '{member.name}' has a path that leads out of the archive")
    if member.issym() or member.islnk():
        raise UserError(f"{path} is refused: its member '{member.name}' is a link, not a file")
    if member.isdir():
        return False
    if not member.isreg() or member.issparse() or member.size < 0:
        raise UserError(f"{path} is refused: its member '{member.name}' is a device or another special file")
    return True


def _check_end(path: str, window: ByteWindow, end: int) -> None:
    """tarfile takes whatever is not a header for the end: it has to be the two blocks of zeros that mark an end, with
    nothing but zeros behind: blocks that a disk has lost are zeros too."""
    mark = window.at(end, 2 * BLOCK)
    if len(mark) < 2 * BLOCK:
        raise UserError(f"{path} is cut short: it ends at byte {window.start + end + len(mark):,} without an end mark")
    if any(mark):
        raise UserError(f"{path} is damaged at byte {window.start + end:,}: there is no header of a member")
    if (rest := window.length - end) > PADDING or any(window.at(end, rest)):
        raise UserError(
            f"{path} is damaged at byte {window.start + end:,}: it has an end mark there, and {rest:,} more bytes"
        )
