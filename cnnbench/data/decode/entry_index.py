"""The side index of a data set: where decoding can begin within its JPEG files, so that what lies above and beside a
box is never decoded. Made by `cnnbench data index decoder=true`, by `cnnbench data pack`, and in a run's first epoch.

Entry points are found by a file's content, not by its name or number: a file that has changed has none, and a copy, in
an archive or under another name, has those of the original. They are an advice about speed: none, a damaged one and
one of other bytes cost time, never pixels.

    seal      SEAL: magic, key of the table, number of files, where in this file the table is
    entries   of each file, anywhere in this one: see EntryPoints
    table     TABLE, one array after the other: keys of the files, sorted; where their entries are, the keys of these
              bytes, how many bytes, and the columns from one entry to the next

A file of its own begins with the seal; a packed file has it somewhere inside, and the entries among its images.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from cnnbench.data.decode.native.library import EntryPoints, Library, SideIndex, address
from cnnbench.runtime.files import replacing

MAGIC = b"cnnbench entry 4"
SEAL = struct.Struct("<16sQQQ")
TABLE = (("keys", "<u8"), ("places", "<u8"), ("sums", "<u8"), ("lengths", "<u4"), ("spacings", "<u2"))
EVERY = 8  # columns of blocks from entry to entry, 64 pixels
PACKED_EVERY = 4  # in packs of smaller pictures, of whose boxes a larger part would lie beside them
REFERENCE = EntryPoints(0, b"")  # of a file whose pixels are not the reference decoder's: it is left to that one


class Place(NamedTuple):
    """Where a side index is: the file, and how far in it the seal is, bytes."""

    path: Path
    seal: int = 0


@dataclass(frozen=True)
class EntryIndex:
    """Opened side indices as one; the pages of their files are shared by all processes. `places` are addresses."""

    mapped: tuple[np.ndarray, ...]  # whole files, uint8
    keys: np.ndarray
    places: np.ndarray
    sums: np.ndarray
    lengths: np.ndarray
    spacings: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def for_library(self) -> SideIndex:
        """For Library.look."""
        index = SideIndex(len(self), *(address(getattr(self, name)) for name, _ in TABLE))
        index.owner = self
        return index


def open_indices(places: Iterable[Place], library: Library) -> EntryIndex:
    """The side indices at `places` as one; without those that are not there, damaged, or of another version."""
    found = [opened for place in places if (opened := _opened(place, library)) is not None]
    columns = {name: [table[name] for _, table in found] for name, _ in TABLE}
    joined = {name: np.concatenate([np.zeros(0, kind), *columns[name]]) for name, kind in TABLE}
    order = np.argsort(joined["keys"], kind="stable")
    first = np.ones(len(order), bool)  # of those with one key
    first[1:] = np.diff(joined["keys"][order]) != 0
    native = {name: np.ascontiguousarray(column[order[first]]) for name, column in joined.items()}
    return EntryIndex(tuple(mapped for mapped, _ in found), **native)


def _opened(place: Place, library: Library) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """The whole file, uint8, and its table, the places as addresses."""
    try:
        mapped = np.memmap(place.path, np.uint8, "r").view(np.ndarray)
        magic, expected, count, start = SEAL.unpack(mapped[place.seal :][: SEAL.size].tobytes())
        ends = np.cumsum([start, *(np.dtype(kind).itemsize * count for _, kind in TABLE)])
        if magic != MAGIC or ends[-1] > len(mapped) or library.key(mapped[start : ends[-1]].tobytes()) != expected:
            return None
        arrays = zip(ends, ends[1:], TABLE, strict=False)
        table = {name: mapped[first:end].view(kind) for first, end, (name, kind) in arrays}
    except (OSError, ValueError, OverflowError, struct.error):
        return None
    ends = table["places"] + table["lengths"]
    if (np.maximum(table["places"], ends) > len(mapped)).any():
        return None
    return mapped, table | {"places": table["places"] + np.uint64(address(mapped))}


class Kept(NamedTuple):
    """Of the file with this `key` where its entries are, the key of their bytes, how many bytes, and their spacing."""

    key: int
    place: int
    sum: int
    length: int
    spacing: int


def sealed(rows: Iterable[Kept], start: int, library: Library) -> tuple[bytes, bytes]:
    """The table of `rows`, to be written at `start`, and its seal. A file that comes twice is kept once."""
    ordered = [row for _, row in sorted({row.key: row for row in rows}.items())]
    columns = list(zip(*ordered, strict=True)) or [()] * len(TABLE)
    table = b"".join(np.array(column, kind).tobytes() for column, (_, kind) in zip(columns, TABLE, strict=True))
    return table, SEAL.pack(MAGIC, library.key(table), len(ordered), start)


@dataclass
class IndexWriter:
    """A side index in the making: entry points are written as they come, the table in the end."""

    file: BinaryIO
    library: Library
    rows: list[Kept] = field(default_factory=list)

    def add(self, key: int, entries: EntryPoints) -> None:
        """Keep the entries of the file with this key."""
        kept = entries.bytes
        self.rows.append(Kept(key, self.file.tell(), self.library.key(kept), len(kept), entries.every))
        self.file.write(kept)

    def finish(self) -> None:
        """Write the table, and the seal that names it."""
        table, seal = sealed(self.rows, self.file.tell(), self.library)
        self.file.write(table)
        self.file.seek(0)
        self.file.write(seal)


@contextmanager
def writing_index(path: Path, mode: int, library: Library) -> Iterator[IndexWriter]:
    """A side index that is at `path`, for those whom `mode` names, once the block has ended well. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch, open(scratch, "wb") as file:
        os.chmod(scratch, mode)
        file.write(bytes(SEAL.size))
        writer = IndexWriter(file, library)
        yield writer
        writer.finish()
