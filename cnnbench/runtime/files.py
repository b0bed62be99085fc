"""Files that survive a kill and a power cut: every file that is written whole is written here, and read tolerantly."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import parse_json
from cnnbench.runtime.shell import counted_bytes
from cnnbench.runtime.system import BINARY, NOT_WAITING, sync_path

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says of a disk, a quota or a file that is full
ANSWER = 2.0  # seconds for the last words of a process that leaves
DISK = (*FULL, errno.EROFS, errno.EIO)  # errors of a disk, which only the user can solve


class SystemFile(io.FileIO):
    """A file each of whose writes is one call of the system."""

    def write(self, data: ReadableBuffer, /) -> int:
        return os.write(self.fileno(), data)


def write_text(path: Path, text: str) -> None:
    """Replace the file `path` by one that holds `text`, in UTF-8; see `replacing`.

    Names of files may have bytes that are no UTF-8: Python holds them as surrogates, and they are written as they are.
    """
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file `path` by one that holds `content`; see `replacing`."""
    with replacing(path) as scratch:
        _write(scratch, content)


def write_json(path: Path, content: Any) -> None:
    """Replace the file `path` by one that holds `content` as JSON, indented; see `json_text` and `replacing`."""
    write_text(path, json_text(content, indent=2) + "\n")


def json_text(content: Any, indent: int | None = None) -> str:
    """`content`, of plain values, as JSON, on one line without `indent`. A number that is not finite, which JSON does
    not have, is null."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def create_text(path: Path, text: str) -> bool:
    """Make the file `path`, which holds `text` from its first moment on; False, and nothing done, if it is there.

    Where the file system has no hard links, a kill in between may leave it empty. Raises OSError.
    """
    scratch = _scratch(path)
    try:
        _write(scratch, text.encode())
        sync(scratch)
        try:
            os.link(scratch, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            return _create_without_links(path, text)
        sync(path.parent)
        return True
    finally:
        remove(scratch)


def open_plain(path: Path) -> io.BufferedReader:
    """The file `path`, opened for reading. OSError for what is no plain file: a pipe would be waited for, and a device
    has no end."""
    handle = os.open(path, os.O_RDONLY | NOT_WAITING | BINARY)
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return open(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a plain file", str(path))


def read_text(path: Path) -> str | None:
    """The text of the file `path`, with bytes that are no UTF-8 as surrogates; None if it cannot be read."""
    try:
        with io.TextIOWrapper(open_plain(path), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def read_json(path: Path) -> Any:
    """The content of the JSON file `path`; None if it cannot be read, or is cut, torn or something else."""
    return json_or_none(read_text(path) or "")


def json_or_none(text: str) -> Any:
    """What `text` says as JSON; None if it is cut, torn, nested too deep or something else."""
    try:
        return parse_json(text)
    except ValueError:
        return None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file beside `path` to write to: at the end of the block it is on the disk, under the name of `path`.

    Where the block or the disk fails, `path` stays as it was, and the scratch file is removed. Its folder has to exist.
    Raises OSError.
    """
    scratch = _scratch(path)
    try:
        yield scratch
        sync(scratch)
        os.replace(scratch, path)
        sync(path.parent)
    finally:
        remove(scratch)


def sync(path: Path) -> None:
    """Return once what was written to the file `path`, or what was renamed in the folder `path`, is on the disk."""
    sync_path(path, path.is_dir())


def answered(work: Callable[[], object]) -> bool:
    """Whether `work`, which a disk is needed for, came to its end within ANSWER seconds, by an OSError or not. Where
    the disk does not answer, a thread is left that waits for it, and ends with this process."""
    done: list[bool] = []

    def doing() -> None:
        with suppress(OSError):
            work()
        done.append(True)

    thread = threading.Thread(target=doing, daemon=True)
    thread.start()
    thread.join(ANSWER)
    return bool(done)


def remove_scratch(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed writes of the files `names` have left in `folder`. For the one process that writes them."""
    stems = "|".join(re.escape(Path(name).stem) for name in names)
    with suppress(OSError):
        for entry in os.listdir(folder):
            if re.fullmatch(rf"\.({stems})\.\d+(\.\w+)?", entry):
                remove(folder / entry)


def nearest_existing(path: Path) -> Path:
    """`path` itself, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def remove(path: Path) -> None:
    """Remove the file `path` if it is there and can be removed: not on a disk that has become read-only."""
    with suppress(OSError):
        path.unlink()


def _scratch(path: Path) -> Path:
    """Where what is to be `path` is written to: another for each process, and no longer than a file system takes."""
    return path.with_name(f".{path.stem[:48]}.{os.getpid()}{path.suffix}")


def _write(path: Path, content: bytes, flags: int = os.O_TRUNC) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | BINARY | flags, 0o666)
    try:
        rest = memoryview(content)
        while rest:  # a disk that becomes full takes a part, and refuses the next
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def _create_without_links(path: Path, text: str) -> bool:
    try:
        _write(path, b"", os.O_EXCL)
    except FileExistsError:
        return False
    try:
        write_text(path, text)
    except OSError:
        remove(path)  # empty as it is
        raise
    return True


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
