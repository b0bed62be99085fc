"""Where encoded images or pixels lie. Each kind is plain data (paths, numbers, flat arrays): an index can keep it.

A storage opens what it needs when it is asked for an image, never before: it is made in one process and used in many.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.system import BINARY, NOT_WAITING


class Storage(Protocol):
    """What a Split needs to know of the place where its images lie."""

    @property
    def form(self) -> str:
        """In words, for results: how the images are stored, so that a change of pixels is never silent."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> bytes | np.ndarray:
        """The file, or pixels uint8 (H, W, C), of image `number`. UserError if it cannot be read."""

    def name(self, number: int) -> str:
        """The path, or a readable name, of image `number`."""

    def path(self, number: int) -> str:
        """What lists and results call it: SPLIT/CLASS/FILE, or ARCHIVE/FILE; another for each image."""


@dataclass(frozen=True)
class Names:
    """Strings as flat arrays: `text` uint8, in the file system's bytes; string i is text[ends[i - 1]:ends[i]]."""

    text: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = self.ends[index - 1] if index else 0
        return os.fsdecode(self.text[start : self.ends[index]].tobytes())


def pack_names(names: list[str]) -> Names:
    """`names` as flat arrays."""
    encoded = [os.fsencode(name) for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return Names(np.frombuffer(b"".join(encoded), np.uint8), ends)


@dataclass(frozen=True)
class Files:
    """One file per image, `names` below the folder `root`."""

    root: str
    names: Names
    form: str = "files"

    def __len__(self) -> int:
        return len(self.names)

    def read(self, number: int) -> bytes:
        path = self.name(number)
        try:
            # Half the time of Python's own open and read; without waiting, should a pipe have taken the file's place.
            file = os.open(path, os.O_RDONLY | NOT_WAITING | BINARY)
            try:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    raise UserError(f"{path} cannot be read: it is not a file (any more)")
                return os.read(file, status.st_size)
            finally:
                os.close(file)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error

    def name(self, number: int) -> str:
        return self._folder + self.names[number]

    @cached_property
    def _folder(self) -> str:
        """The root with what stands between it and a name, if anything does; joined once, not for each image."""
        return os.path.join(self.root, "")

    def path(self, number: int) -> str:
        return f"{os.path.basename(self.root)}/{self.names[number]}"


@dataclass(frozen=True)
class Pixels:
    """Images that are pixels already: uint8 (n, H, W, C), as in the small data sets' own files."""

    pixels: np.ndarray
    source: str
    form: str = "pixels"

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, number: int) -> np.ndarray:
        return self.pixels[number]

    def name(self, number: int) -> str:
        return f"{self.source}, image {number}"

    def path(self, number: int) -> str:
        return self.name(number)
