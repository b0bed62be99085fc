"""The packed form of a data set: one random-access file per split, or several (shards), made by `cnnbench data pack`.

    preamble   PREAMBLE: magic, version, and where header and index are, with their checksums
    header     JSON: recipe, split, part, classes, images, source, versions; known before the first image
    images     per image a RECORD, its bytes and its entry points, so that an unfinished file shows how far it is
    entries    the seal and the table of the entry points (decode/entry_index.py), if there are any
    index      INDEX, then ARRAYS, the names of the originals, and as JSON the images that were left out

All numbers are little-endian. The preamble names the index only once everything else is on the disk: a file without it
is not finished. The index and raw pixels are mapped into memory; encoded images are read with pread, so that a disk
that goes away is an error, not a signal.
"""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.decode.entry_index import Place
from cnnbench.data.storage.files import Names
from cnnbench.data.storage.folded import folded
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.foreign import foreign, parse_json
from cnnbench.runtime.system import read_at

ENDING = ".cnnbench"
MAGIC, VERSION = b"CNNBENCH", 1
# magic, version; header: length, checksum; index: checksum, start, length; where the seal of the entries is, 0: none
PREAMBLE = struct.Struct("<8sIIIIQQQ16x")
INDEX_PLACE = 20  # where in the preamble the index is named; zeros until the file is finished
# length, checksum, height, width, bytes of the original, channels, kind; of the entry points: columns between them,
# length, checksum, key of the image, key of their bytes; zeros without them
RECORD = struct.Struct("<IIIIIBBHIIQQ")
INDEX = struct.Struct("<QQQ")  # images, length of the names' text, length of the JSON of what was left out
ARRAYS = (
    ("starts", "<i8", ()),
    ("labels", "<i8", ()),
    ("name_ends", "<i8", ()),
    ("lengths", "<u4", ()),
    ("checksums", "<u4", ()),
    ("shapes", "<i4", (3,)),
)
IMAGE, LEFT_OUT = 0, 1  # kinds of a record; the bytes of one that is left out say why


def checksum(content: bytes | np.ndarray | memoryview) -> int:
    """CRC-32 of `content` (contiguous bytes), folded first.

    Any single flipped bit changes it, as it would the plain CRC-32, at a seventh of the time for 250 kB (9 against
    61 microseconds): on every read it costs under 1 % of decoding a JPEG file.
    """
    sums, rest = folded(content)
    return zlib.crc32(rest, zlib.crc32(sums))


@dataclass(frozen=True)
class PackedFile:
    """One opened file. `shapes` int32 (n, 3): height, width, channels; `starts` int64: offsets in the file, bytes."""

    path: str
    header: dict[str, Any]
    mapped: np.ndarray  # the whole file, uint8
    starts: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    checksums: np.ndarray
    shapes: np.ndarray
    names: Names
    left_out: list[list[str]]  # name and reason
    seal: int  # where that of the entry points is, 0: there are none

    def __len__(self) -> int:
        return len(self.starts)

    def content(self, index: int) -> bytes | np.ndarray:
        """The bytes of image `index`, or its pixels uint8 (H, W, C); UserError if they are not what was packed."""
        start, length = int(self.starts[index]), int(self.lengths[index])
        if self.header["recipe"]["form"] != "raw":
            content = self._pread(index, start, length)
            self._check(index, content)
            return content
        pixels = self.mapped[start : start + length]
        if not self._checked[index]:  # once in a process: without decoding, 30 microseconds are 6 % of the work
            self._check(index, pixels)
            self._checked[index] = True
        return pixels.reshape(self.shapes[index])

    def _pread(self, index: int, start: int, length: int) -> bytes:
        try:
            return read_at(self._file.fileno(), length, start)
        except OSError as error:
            raise UserError(f"{self.name(index)} cannot be read: {error.strerror}") from error

    def _check(self, index: int, content: bytes | np.ndarray) -> None:
        if checksum(content) != self.checksums[index]:
            raise UserError(f"{self.name(index)} is damaged on the disk (wrong checksum): copy or pack the file again")

    def name(self, index: int) -> str:
        return f"{self.path}, image {index} ({self.names[index]})"

    @cached_property
    def _checked(self) -> np.ndarray:
        return np.zeros(len(self), bool)

    @cached_property
    def _file(self) -> io.FileIO:
        return open(self.path, "rb", buffering=0)  # shared by forked workers: pread has no position


class Packed:
    """The images of packed files, one file after the other. Another process gets the paths alone, and opens anew."""

    def __init__(self, files: Sequence[PackedFile]) -> None:
        self.files = tuple(files)
        self.firsts = [0, *accumulate(len(file) for file in self.files)]
        self.form: str = self.files[0].header["form"]

    def __len__(self) -> int:
        return self.firsts[-1]

    def read(self, number: int) -> bytes | np.ndarray:
        file, index = self._find(number)
        return file.content(index)

    def name(self, number: int) -> str:
        file, index = self._find(number)
        return file.name(index)

    def path(self, number: int) -> str:
        """What the image was called where it came from."""
        file, index = self._find(number)
        return file.names[index]

    def _find(self, number: int) -> tuple[PackedFile, int]:
        file = bisect_right(self.firsts, number) - 1
        return self.files[file], number - self.firsts[file]

    @property
    def side_indices(self) -> tuple[Place, ...]:
        """The entry points that the files carry."""
        return tuple(Place(Path(file.path), file.seal) for file in self.files if file.seal)

    def __reduce__(self) -> tuple:
        return _reopen, (tuple(file.path for file in self.files),)


def _reopen(paths: tuple[str, ...]) -> Packed:
    return Packed([open_file(path) for path in paths])


def open_file(path: str) -> PackedFile:
    """Open a finished packed file: header and index are checked now, images when they are read.

    UserError if the file is not finished, damaged, or something else.
    """
    with foreign(path):
        return _opened(path)


def _opened(path: str) -> PackedFile:
    header, after = read_header(path)
    with open(path, "rb") as file:
        *_, stored, start, length, seal = PREAMBLE.unpack(file.read(PREAMBLE.size))
    if not start:
        raise UserError(f"{path} is not finished: repeat the `cnnbench data pack` that began it")
    mapped = np.memmap(path, np.uint8, "r")
    if start < after or len(mapped) != start + length:
        raise UserError(f"{path} is cut short or damaged: {len(mapped):,} bytes, not {start + length:,}; copy it again")
    index = mapped[start:]
    if checksum(index) != stored:
        raise UserError(f"{path} is damaged: its index does not match its checksum; copy it again")
    count, text_length, json_length = INDEX.unpack(index[: INDEX.size].tobytes())
    position, arrays = INDEX.size, {}
    for name, kind, shape in ARRAYS:
        size = np.dtype(kind).itemsize * count * int(np.prod(shape, dtype=int))
        arrays[name] = index[position : position + size].view(kind).reshape(count, *shape).view(np.ndarray)
        position += size
    names = Names(index[position : position + text_length].view(np.ndarray), arrays.pop("name_ends"))
    left_out = parse_json(index[position + text_length :][:json_length].tobytes())
    return PackedFile(path, header, mapped.view(np.ndarray), names=names, left_out=left_out, seal=seal, **arrays)


def read_header(path: str) -> tuple[dict[str, Any], int]:
    """The header of a packed file, finished or not, and where its first record is. UserError for another file."""
    try:
        with open(path, "rb") as file:
            preamble = file.read(PREAMBLE.size)
            if len(preamble) < PREAMBLE.size or not preamble.startswith(MAGIC):
                raise UserError(f"{path} is not a packed file of cnnbench")
            _, version, length, stored, *_ = PREAMBLE.unpack(preamble)
            if version != VERSION:
                raise UserError(f"{path} has version {version} of the packed form, this cnnbench reads {VERSION}")
            text = file.read(length)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if len(text) != length or checksum(text) != stored:
        raise UserError(f"{path} is damaged: its header does not match its checksum; copy it again")
    try:
        return parse_json(text), PREAMBLE.size + length
    except ValueError as error:
        raise UserError(f"{path} is damaged: {reason(error)}") from error
