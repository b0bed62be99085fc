"""What Linux has and macOS or Windows lack, and what stands in for it there. On neither has it been run: the tests hide
what those systems lack (docs/devices.md)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line ends
NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # ends a process at once; on Windows SIGTERM does
IS_WINDOWS = os.name == "nt"

_reading = threading.Lock()  # where a file has one position for all that read it


def forks() -> bool:
    """Whether workers may be forked here: macOS can, and its own libraries then fail."""
    return sys.platform == "linux"


def signals(*names: str) -> tuple[signal.Signals, ...]:
    """The signals of these names that this system has."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def read_at(handle: int, length: int, offset: int) -> bytes:
    """At most `length` bytes at `offset` of an open file, also for several threads at a time. Raises OSError."""
    if hasattr(os, "pread"):
        return os.pread(handle, length, offset)
    with _reading:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, length)


def lock_file(file: IO[bytes] | int) -> None:
    """Hold `file`, or an open folder, until it is closed. OSError if another process does. Where the system has no such
    locks nothing is held: two commands that write one file at a time are not told apart."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def user() -> int | None:
    """The number of this process's user; None where users have none."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def sync_all() -> None:
    """Return once all that was written is on the disk, where the system can be asked for that."""
    if hasattr(os, "sync"):
        os.sync()


def drop_from_memory(handle: int) -> None:
    """Have the system read an open file from the disk again, where it can be asked for that."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def process_exists(pid: int) -> bool | None:
    """Whether there is a process of that number; None where it cannot be asked: on Windows the question ends it."""
    if IS_WINDOWS:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def sync_path(path: str | os.PathLike[str], folder: bool) -> None:
    """Return once a file, or what was renamed in a folder, is on the disk. Windows has that for files alone, which have
    to be open for writing."""
    if folder and IS_WINDOWS:
        return
    handle = os.open(path, os.O_RDWR | BINARY if IS_WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def default_action(*names: str) -> None:
    """Have the system do what it does by itself at these signals, as far as it has them."""
    for number in signals(*names):
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
