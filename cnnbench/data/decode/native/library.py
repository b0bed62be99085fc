"""The C library of this folder, called through ctypes: it knows nothing of Python, so that one build serves every
version, and building it needs a compiler but no headers of Python. While it works, other threads go on."""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_char_p, c_double, c_int, c_int32, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from operator import attrgetter
from pathlib import Path

import numpy as np

from cnnbench.data.decode.resize import Resize

DONE = 0  # of enum result in jpeg.h
NAME = "_library"
WINDOW = ("left", "top", "width", "height", "first_column", "first_row", "columns", "rows")
_places = attrgetter(*WINDOW)


class Crop(ctypes.Structure):
    """struct crop of crop.h."""

    _fields_ = [
        *((name, c_double) for name in ("across", "down")),
        *((name, c_int32) for name in (*WINDOW, "cubic", "mirrored")),
    ]


@dataclass(frozen=True)
class EntryPoints:
    """Where decoding of one file can begin, every `every` columns of blocks (8 pixels; an even number) of each row of
    MCUs: `positions` uint32 (entries,), bits of the scan without its stuffing, and `dc` int16 (entries, 3), the
    predictors of the components."""

    every: int
    positions: np.ndarray
    dc: np.ndarray


class Library:
    """The functions of crop.h; each thread has a decoder of its own. `portable`: without vector code."""

    def __init__(self, path: Path, portable: bool = False) -> None:
        self.functions = _declared(ctypes.CDLL(str(path)))
        self.portable = portable
        self.own = threading.local()

    def _decoder(self) -> c_void_p:
        if not hasattr(self.own, "decoder"):
            self.own.decoder = _Decoder(self.functions, self.portable)
        return self.own.decoder.address

    @property
    def instructions(self) -> str:
        """What the code runs with, in words."""
        return "AVX2" if not self.portable and self.functions.cnnbench_vector() else "portable"

    def size(self, content: bytes) -> tuple[int, int, int] | None:
        """Width, height and channels of a JPEG file, by its header; None where another decoder is asked."""
        size = (c_int32 * 3)()
        done = self.functions.cnnbench_size(content, len(content), size) == DONE
        return (size[0], size[1], size[2]) if done else None

    def key(self, content: bytes) -> int:
        """64 bits that tell `content` from other files: a hash of its length and its bytes."""
        return int(self.functions.cnnbench_key(content, len(content)))

    def region(
        self, content: bytes, box: tuple[int, int, int, int], out: np.ndarray, entries: EntryPoints | None = None
    ) -> bool:
        """Whether `out`, uint8 (height, width, C), now holds the pixels of `box` (left, top, width, height)."""
        index = _index(entries)
        result = self.functions.cnnbench_region(self._decoder(), content, len(content), *box, *index, _address(out))
        return bool(result == DONE)

    def crop(self, content: bytes, wanted: Resize, out: np.ndarray, entries: EntryPoints | None = None) -> bool:
        """Whether `out`, uint8 (rows, columns, C), now holds what is `wanted`."""
        crop, index = _crop(wanted), _index(entries)
        result = self.functions.cnnbench_crop(self._decoder(), content, len(content), crop, *index, _address(out))
        return bool(result == DONE)

    def resize(self, pixels: np.ndarray, wanted: Resize, out: np.ndarray) -> bool:
        """The same of `pixels` uint8 (H, W, C), C = 1 or 3, whose rows may lie apart."""
        height, width, channels = pixels.shape
        inside = wanted.left + wanted.width <= width and wanted.top + wanted.height <= height
        rows, columns, apart = pixels.strides
        if not inside or channels not in (1, 3) or rows < 0 or columns != channels or (channels == 3 and apart != 1):
            return False
        arguments = _address(pixels), rows, channels, _crop(wanted), _address(out)
        return bool(self.functions.cnnbench_resize(self._decoder(), *arguments) == DONE)

    def entry_points(self, content: bytes, every: int) -> EntryPoints | None:
        """The entry points of a whole file; None if it is not taken, or damaged."""
        size = self.size(content)
        if size is None:
            return None
        room = (size[0] // 8 // every + 2) * (size[1] // 8 + 1)
        positions, dc = np.empty(room, np.uint32), np.empty((room, 3), np.int16)
        arguments = content, len(content), every, room, _address(positions), _address(dc)
        count = self.functions.cnnbench_index(self._decoder(), *arguments)
        return EntryPoints(every, positions[:count], dc[:count]) if count > 0 else None


class _Decoder:
    """The memory of one thread, given back with it."""

    def __init__(self, functions: ctypes.CDLL, portable: bool) -> None:
        self.free = functions.cnnbench_free
        self.address = c_void_p(functions.cnnbench_new(portable))
        if not self.address:
            raise MemoryError

    def __del__(self) -> None:
        self.free(self.address)


@cache
def load(portable: bool = False) -> Library | None:
    """The library; None where it was not built, or cannot be used."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(NAME + suffix)
        if path.is_file():
            try:
                return Library(path, portable)
            except (OSError, AttributeError):  # for another system, or of another version
                return None
    return None


def _crop(wanted: Resize) -> Crop:
    return Crop(wanted.across, wanted.down, *_places(wanted), wanted.interpolation == "bicubic", wanted.mirrored)


def _address(array: np.ndarray) -> int:
    """Where the array lies; array.ctypes.data takes three times as long."""
    return int(array.__array_interface__["data"][0])


def _index(entries: EntryPoints | None) -> tuple[int, int | None, int | None]:
    return (0, None, None) if entries is None else (entries.every, _address(entries.positions), _address(entries.dc))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library` with the types of its functions, as crop.h has them."""
    content, index, crop = (c_char_p, c_size_t), (c_int, c_void_p, c_void_p), POINTER(Crop)
    types = {
        "new": (c_void_p, c_int),
        "free": (None, c_void_p),
        "vector": (c_int,),
        "size": (c_int, *content, POINTER(c_int32)),
        "key": (c_uint64, *content),
        "region": (c_int, c_void_p, *content, c_int, c_int, c_int, c_int, *index, c_void_p),
        "crop": (c_int, c_void_p, *content, crop, *index, c_void_p),
        "index": (c_int, c_void_p, *content, c_int, c_int, c_void_p, c_void_p),
        "resize": (c_int, c_void_p, c_void_p, c_size_t, c_int, crop, c_void_p),
    }
    for name, (result, *arguments) in types.items():
        function = getattr(library, f"cnnbench_{name}")
        function.restype, function.argtypes = result, arguments
    return library
