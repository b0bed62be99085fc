"""The side index of a data set: where decoding can begin within its JPEG files, so that what lies above and beside a
box is never decoded. Made by `cnnbench data index decoder=true`.

Entry points are found by a file's content, not by its name or number: a file that has changed has none, and a copy, in
an archive or under another name, has those of the original. They are an advice about speed: none, a damaged one and
one of other bytes cost time, never pixels.

    preamble  PREAMBLE: magic, checksum of the table, files, start of the table
    files     of each its entry points: positions uint32, then predictors int16 (entries, 3)
    table     keys uint64, sorted; ends and starts uint64, offsets in the file; checksums uint32 and spacings uint16
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cnnbench.data.decode.native.library import EntryPoints
from cnnbench.runtime.files import replacing

MAGIC = b"cnnbench entry 2"
PREAMBLE = struct.Struct("<16sQQQ")
TABLE = (("keys", "<u8"), ("starts", "<u8"), ("ends", "<u8"), ("checksums", "<u4"), ("spacings", "<u2"))
ENTRY = 10  # bytes: a position and three predictors
EVERY = 12  # columns of blocks from entry to entry, 96 pixels: 2.7 kB for a file of ILSVRC; 8 bring 1 % of time more
REFERENCE = 0  # the spacing of a file whose pixels are not the reference decoder's: it is left to that one


@dataclass(frozen=True)
class EntryIndex:
    """An opened side index; its pages are shared by all processes."""

    mapped: np.ndarray  # the whole file, uint8
    keys: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    checksums: np.ndarray
    spacings: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, key: int) -> EntryPoints | int | None:
        """The entry points of the file with this key; REFERENCE where another decoder is to be asked; None where
        nothing is known."""
        place = int(self.keys.searchsorted(np.uint64(key)))
        if place == len(self.keys) or self.keys[place] != np.uint64(key):
            return None
        every = int(self.spacings[place])
        if every == REFERENCE:
            return REFERENCE
        kept = self.mapped[self.starts[place] : self.ends[place]]
        if len(kept) % ENTRY or zlib.crc32(kept.data) != self.checksums[place]:
            return None
        count = len(kept) // ENTRY
        return EntryPoints(every, kept[: 4 * count].view("<u4"), kept[4 * count :].view("<i2").reshape(count, 3))


def open_index(path: Path) -> EntryIndex | None:
    """The side index at `path`; None if it is not there, damaged, or of another version."""
    try:
        with open(path, "rb") as file:
            magic, expected, count, start = PREAMBLE.unpack(file.read(PREAMBLE.size))
        mapped = np.memmap(path, np.uint8, "r").view(np.ndarray)
        table = mapped[start:]
        sizes = [np.dtype(kind).itemsize * count for _, kind in TABLE]
        if magic != MAGIC or len(table) != sum(sizes) or zlib.crc32(table.data) != expected:
            return None
        places = np.cumsum([0, *sizes])
        arrays = {
            name: table[places[number] : places[number + 1]].copy().view(kind)
            for number, (name, kind) in enumerate(TABLE)
        }
    except (OSError, ValueError, struct.error):
        return None
    return EntryIndex(mapped, **arrays)


@dataclass(frozen=True)
class KeptEntries:
    """The entry points of the file with this key, as they are written."""

    key: int
    every: int
    bytes: bytes


def to_keep(key: int, entries: EntryPoints | None) -> KeptEntries:
    """What is kept of a file; of one without `entries`, that it is left to the reference decoder."""
    if entries is None:
        return KeptEntries(key, REFERENCE, b"")
    kept = entries.positions.astype("<u4").tobytes() + entries.dc.astype("<i2").tobytes()
    return KeptEntries(key, entries.every, kept)


@dataclass
class IndexWriter:
    """A side index in the making: entry points are written as they come, the table in the end."""

    file: BinaryIO
    rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def add(self, entries: KeptEntries) -> None:
        start = self.file.tell()
        self.file.write(entries.bytes)
        end = start + len(entries.bytes)
        self.rows.append((entries.key, start, end, zlib.crc32(entries.bytes), entries.every))

    def finish(self) -> None:
        """Write the table, and the preamble that names it. A file that comes twice is kept once."""
        self.file.write(bytes(-self.file.tell() % 8))
        start = self.file.tell()
        rows = [row for _, row in sorted({row[0]: row for row in self.rows}.items())]
        columns = list(zip(*rows, strict=True)) or [()] * len(TABLE)
        table = b"".join(np.array(column, kind).tobytes() for column, (_, kind) in zip(columns, TABLE, strict=True))
        self.file.write(table)
        self.file.seek(0)
        self.file.write(PREAMBLE.pack(MAGIC, zlib.crc32(table), len(rows), start))


@contextmanager
def writing_index(path: Path, mode: int) -> Iterator[IndexWriter]:
    """A side index that is at `path`, for those whom `mode` names, once the block has ended well. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch, open(scratch, "wb") as file:
        os.chmod(scratch, mode)
        file.write(bytes(PREAMBLE.size))
        writer = IndexWriter(file)
        yield writer
        writer.finish()
