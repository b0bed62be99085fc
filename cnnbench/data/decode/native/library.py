"""The C library of this folder, called through ctypes: it knows nothing of Python, so that one build serves every
version, and building it needs a compiler but no headers of Python. While it works, other threads go on."""

from __future__ import annotations

import ctypes
import struct
import threading
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np

from cnnbench.data.decode.resize import Resize

DONE = 0  # of enum result in jpeg.h
NAME = "_library"
INSTRUCTIONS = ("portable", "AVX2", "AVX-512")  # enum instructions of crop.h
CROP = struct.Struct("4i2d6i")  # struct crop of crop.h, whose fields are those of Resize


class Entries(ctypes.Structure):
    """struct entries of jpeg.h: where decoding of one file can begin, every `every` columns of blocks (8 pixels) of
    each row of MCUs."""

    _fields_ = [("every", c_int32), ("length", c_int32), ("bytes", c_void_p)]


NO_ENTRIES = Entries()


class SideIndex(ctypes.Structure):
    """struct side_index of crop.h; `owner` has the arrays."""

    owner: object
    _fields_ = [("files", c_uint64), *((name, c_void_p) for name in ("keys", "places", "sums", "lengths", "spacings"))]


class Look(ctypes.Structure):
    """struct look of crop.h: what is known of a file before it is decoded. `owner` has the entries."""

    owner: object
    _fields_ = [
        *((name, c_int32) for name in ("width", "height", "components")),
        ("key", c_uint64),
        ("entries", Entries),
    ]


@dataclass(frozen=True)
class EntryPoints:
    """Entries as they are kept, in the form of entries.c: positions, in bits of the scan without its stuffing, and
    predictors."""

    every: int
    bytes: bytes

    @property
    def entries(self) -> Entries:
        """For the functions of the library, as long as this object is there."""
        return Entries(self.every, len(self.bytes), address(np.frombuffer(self.bytes, np.uint8)))


class Library:
    """The functions of crop.h; each thread has a decoder of its own. `most`: which INSTRUCTIONS it uses at most."""

    def __init__(self, path: Path, most: str = INSTRUCTIONS[-1]) -> None:
        self.functions = _declared(ctypes.CDLL(str(path)))
        self.most = INSTRUCTIONS.index(most)
        self.own = threading.local()

    def _decoder(self) -> c_void_p:
        if not hasattr(self.own, "decoder"):
            self.own.decoder = _Decoder(self.functions, self.most)
        return self.own.decoder.address

    @property
    def instructions(self) -> str:
        """What the code runs with, in words."""
        return INSTRUCTIONS[self.functions.cnnbench_instructions(self.most)]

    def look(self, content: bytes, index: SideIndex | None = None) -> Look | None:
        """Width, height and channels of a JPEG file, by its header, and its entry points; None where another decoder is
        asked."""
        look = Look()
        look.owner = index
        return look if self.functions.cnnbench_look(index, content, len(content), look) == DONE else None

    def key(self, content: bytes) -> int:
        """64 bits that tell `content` from other files: a hash of its length and its bytes."""
        return int(self.functions.cnnbench_key(content, len(content)))

    def region(
        self, content: bytes, box: tuple[int, int, int, int], out: np.ndarray, entries: Entries = NO_ENTRIES
    ) -> bool:
        """Whether `out`, uint8 (height, width, C), now holds the pixels of `box` (left, top, width, height)."""
        function = self.functions.cnnbench_region
        return bool(function(self._decoder(), content, len(content), entries, *box, writable(out)) == DONE)

    def crop(self, content: bytes, wanted: Resize, out: np.ndarray, entries: Entries = NO_ENTRIES) -> bool:
        """Whether `out`, uint8 (rows, columns, C), now holds what is `wanted`."""
        function = self.functions.cnnbench_crop
        return bool(function(self._decoder(), content, len(content), entries, _crop(wanted), writable(out)) == DONE)

    def resize(self, pixels: np.ndarray, wanted: Resize, out: np.ndarray) -> bool:
        """The same of `pixels` uint8 (H, W, C), C = 1 or 3, whose rows may lie apart."""
        height, width, channels = pixels.shape
        inside = wanted.left + wanted.width <= width and wanted.top + wanted.height <= height
        rows, columns, apart = pixels.strides
        if not inside or channels not in (1, 3) or rows < 0 or columns != channels or (channels == 3 and apart != 1):
            return False
        arguments = address(pixels), rows, channels, _crop(wanted), writable(out)
        return bool(self.functions.cnnbench_resize(self._decoder(), *arguments) == DONE)

    def entry_points(self, content: bytes, every: int) -> EntryPoints | None:
        """The entry points of a whole file; None if it is not taken, or damaged."""
        look = self.look(content)
        if look is None:
            return None
        row = 4 + 7 * (look.width // 8 // every + 2)  # bytes of the entries of a row of MCUs, or more
        out = np.empty(row * (look.height // 8 + 1), np.uint8)
        function = self.functions.cnnbench_index
        length = function(self._decoder(), content, len(content), every, len(out), address(out))
        return EntryPoints(every, out[:length].tobytes()) if length > 0 else None


class _Decoder:
    """The memory of one thread, given back with it."""

    def __init__(self, functions: ctypes.CDLL, most: int) -> None:
        self.free = functions.cnnbench_free
        self.address = c_void_p(functions.cnnbench_new(most))
        if not self.address:
            raise MemoryError

    def __del__(self) -> None:
        self.free(self.address)


@cache
def load(most: str = INSTRUCTIONS[-1]) -> Library | None:
    """The library, with the best of the INSTRUCTIONS up to `most` that are here; None where it was not built, or cannot
    be used."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(NAME + suffix)
        if path.is_file():
            try:
                return Library(path, most)
            except (OSError, AttributeError):  # for another system, or of another version
                return None
    return None


def load_each() -> dict[str, Library]:
    """The library with each of the INSTRUCTIONS that are here, by their names; nothing where it was not built."""
    found = {most: load(most) for most in INSTRUCTIONS}
    return {most: library for most, library in found.items() if library is not None and library.instructions == most}


def address(array: np.ndarray) -> int:
    """Where the array lies; array.ctypes.data takes three times as long."""
    return int(array.__array_interface__["data"][0])


def writable(array: np.ndarray) -> int:
    """The same of a contiguous array that is written to, in a quarter of the time; ValueError for any other."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array.data))


def _crop(wanted: Resize) -> bytes:
    *numbers, interpolation, mirrored = wanted
    return CROP.pack(*numbers, interpolation == "bicubic", mirrored)


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library` with the types of its functions, as crop.h has them."""
    content, entries, crop = (c_char_p, c_size_t), POINTER(Entries), c_char_p
    types = {
        "new": (c_void_p, c_int),
        "free": (None, c_void_p),
        "instructions": (c_int, c_int),
        "look": (c_int, POINTER(SideIndex), *content, POINTER(Look)),
        "key": (c_uint64, *content),
        "region": (c_int, c_void_p, *content, entries, c_int, c_int, c_int, c_int, c_void_p),
        "crop": (c_int, c_void_p, *content, entries, crop, c_void_p),
        "index": (c_int, c_void_p, *content, c_int, c_int, c_void_p),
        "resize": (c_int, c_void_p, c_void_p, c_size_t, c_int, crop, c_void_p),
    }
    for name, (result, *arguments) in types.items():
        function = getattr(library, f"cnnbench_{name}")
        function.restype, function.argtypes = result, arguments
    return library
