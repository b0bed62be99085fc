"""Images in the rows of Parquet files, read in place: the row group of an image, and of that the image's bytes.

A row group is read and unpacked whole (100 images, in Hugging Face's imagenet-1k), so each thread keeps its last one:
images in the order of the files cost what they weigh, and images at random some hundred times that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cnnbench.data.storage.files import Names
from cnnbench.runtime.errors import UserError, reason

OPEN_FILES = 64  # per process
POINTER = b"version https://git-lfs"  # what git leaves in place of a file that was not fetched


@dataclass(frozen=True)
class ParquetImages:
    """Image i is row `row[i]` of row group `group[i]` of the file `paths[file[i]]` (int32 each), in the column `column`
    (image.bytes: the field of a struct)."""

    paths: Names
    file: np.ndarray
    group: np.ndarray
    row: np.ndarray
    names: Names
    column: str
    form: str = "Parquet files"

    def __len__(self) -> int:
        return len(self.row)

    def read(self, number: int) -> bytes:
        path, group = self.paths[self.file[number]], int(self.group[number])
        content = _kept.column(path, group, self.column)[int(self.row[number])].as_py()
        if not isinstance(content, bytes):
            raise UserError(f"{self.name(number)} has no bytes in the column {self.column}: only a path, perhaps")
        return content

    def name(self, number: int) -> str:
        return f"{self.names[number]} in {self.paths[self.file[number]]}"

    def path(self, number: int) -> str:
        return f"{os.path.basename(self.paths[self.file[number]])}/{self.names[number]}"


def open_parquet(path: str) -> Any:
    """The pyarrow.parquet.ParquetFile at `path`. UserError without pyarrow, and for another or a damaged file."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("reading Parquet files needs one more package: pip install 'cnnbench[parquet]'") from error
    with told(path):
        return parquet.ParquetFile(path, pre_buffer=False)


@contextmanager
def told(path: str) -> Iterator[None]:
    """Within this block what pyarrow says of the file at `path` becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # pyarrow's own exceptions, and what else a damaged file makes it raise
        raise UserError(f"{path} cannot be read as Parquet: {_why(path, error)}") from error


def field(table: Any, column: str) -> Any:
    """The values of `column` (A.B: field B of the struct A) of a pyarrow.Table, as one array."""
    name, _, inner = column.partition(".")
    values = table.column(name).combine_chunks()
    return values.field(inner) if inner else values


class _Kept(threading.local):
    """The row group that this thread read last."""

    key: tuple[str, int, int, str] | None = None
    values: Any = None

    def column(self, path: str, group: int, column: str) -> Any:
        with told(path):
            changed = os.stat(path).st_mtime_ns  # another file may have taken its place
            if self.key != (key := (path, changed, group, column)):
                file = _opened(path, changed, os.getpid(), threading.get_ident())
                table = file.read_row_group(group, columns=[column], use_threads=False)
                self.key, self.values = key, field(table, column)
        return self.values


_kept = _Kept()


@lru_cache(maxsize=OPEN_FILES)
def _opened(path: str, changed: int, process: int, thread: int) -> Any:
    """A forked process, and each thread, has a file of its own."""
    return open_parquet(path)


def _why(path: str, error: Exception) -> str:
    try:
        with open(path, "rb") as file:
            if file.read(len(POINTER)) == POINTER:
                return "it is a pointer of Git LFS, fetch the file itself (git lfs pull)"
    except OSError:
        pass
    return reason(error)
