"""Ranges of bytes of local files and of URLs: what archives hold is read in place, in any order, by any process."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO

import numpy as np

from cnnbench.data.storage import remote
from cnnbench.data.storage.files import Names
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.system import read_at

OPEN_FILES = 256  # kept open per process: ILSVRC as shards is more files than a process may usually have open


@dataclass(frozen=True)
class Ranges:
    """Image i is `length[i]` bytes (int64) at `offset[i]` (int64) of the file or URL `paths[file[i]]` (int32)."""

    paths: Names
    file: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    names: Names  # of the images in their archives
    form: str = "archives"

    def __len__(self) -> int:
        return len(self.offset)

    def read(self, number: int) -> bytes:
        return read_range(self.paths[self.file[number]], int(self.offset[number]), int(self.length[number]))

    @property
    def is_remote(self) -> bool:
        """Whether the archives are URLs."""
        return len(self.paths) > 0 and remote.is_remote(self.paths[0])

    def read_many(self, numbers: Sequence[int]) -> list[bytes]:
        """The files of images `numbers`; those of URLs are fetched at the same time."""
        if not len(numbers) or not self.is_remote:
            return [self.read(number) for number in numbers]
        chosen = np.asarray(numbers)
        paths = [self.paths[file] for file in self.file[chosen]]
        return remote.read_ranges(paths, self.offset[chosen].tolist(), self.length[chosen].tolist())

    def name(self, number: int) -> str:
        return f"{self.names[number]} in {self.paths[self.file[number]]}"

    def path(self, number: int) -> str:
        return f"{posixpath.basename(self.paths[self.file[number]])}/{self.names[number]}"


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes at `offset` of a local file or a URL; UserError if it cannot be read or has fewer."""
    if remote.is_remote(path):
        return remote.read_ranges([path], [offset], [length])[0]
    try:
        file = _opened(path)  # held until it is read: another thread may push it out of the cache
        content = read_at(file.fileno(), length, offset)  # no shared position: safe in forks and threads
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) < length:
        raise UserError(
            f"{path} is cut short: it ends at byte {offset + len(content):,}, within a range up to {offset + length:,}"
        )
    return content


def size(path: str) -> int:
    """Bytes of a local file or a URL."""
    if remote.is_remote(path):
        return remote.info(path)["size"]
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=OPEN_FILES)
def _opened(path: str) -> FileIO:
    """Closed by its own end, when the cache and every reader have let go of it."""
    return open(path, "rb", buffering=0)
