"""The folder of this user's caches: unpacked sample, indices, notes. What others could have written is not trusted.

A file or a folder is one's own if it belongs to this user, or to root, and nobody else may write to it: then nobody
else has. What lies beside a data set may be of the data set's owner too.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.system import user

OTHERS = stat.S_IWGRP | stat.S_IWOTH
ABANDONED = 24 * 3600  # seconds after which a scratch file or folder is of a process that was killed


def cache_folder() -> Path:
    """Where this user's unpacked data lies; not necessarily there yet. UserError if there is no place for it."""
    chosen = os.environ.get("CNNBENCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(chosen or "~/.cache").expanduser()
    except RuntimeError as error:
        raise UserError("this user has no home folder for caches: set CNNBENCH_CACHE") from error
    return folder if os.environ.get("CNNBENCH_CACHE") else folder / "cnnbench"


def own_cache_folder(*parts: str) -> Path:
    """A folder of this user's caches, made if it is not there, for nobody else to write to. UserError if it is not
    one's own, OSError if it cannot be made."""
    cache = cache_folder()
    cache.parent.mkdir(parents=True, exist_ok=True)
    for count in range(len(parts) + 1):
        folder = cache.joinpath(*parts[:count])
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.stat()
        if status.st_uid == user() and status.st_mode & OTHERS:  # as a generous umask makes them
            folder.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
        if not is_own(folder):
            raise UserError(f"the cache folder {folder} is not this user's own: set CNNBENCH_CACHE, or remove it")
    return folder


def is_own(path: Path, data: Path | None = None) -> bool:
    """Whether only this user, root, or the owner of the folder `data`, can have written what lies at `path`. OSError if
    nothing does."""
    status, owners = path.stat(), {user(), 0}
    if user() is None:  # there the folders of a user are closed to others by themselves
        return True
    if data is not None:
        owners.add(data.stat().st_uid)
    return status.st_uid in owners and not status.st_mode & OTHERS


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what killed processes have left in `folder`: scratch files and folders of that name, a day old."""
    with suppress(OSError):
        for left in folder.glob(pattern):
            if left.lstat().st_mtime < time.time() - ABANDONED:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
