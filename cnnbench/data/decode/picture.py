"""A picture: its size, and its pixels once they are asked for. What is too large or of no size is refused here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.jpeg_structure import count_scans
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.resize import Resize
from cnnbench.runtime.errors import UserError

MOST_SCANS = 100  # of a progressive JPEG file; usual are 10, and libvips refuses more than 100 as well
SCANNED = 16  # times as many pixels in all scans together: each costs nearly as much time as decoding all
MOST_ELONGATED = 1000  # times as long as wide: 128,000 columns left of the central crop of 224 take 90 MB to resize


class Picture(NamedTuple):
    """An image whose size is known and whose pixels are not decoded yet.

    `region(left, top, width, height)` gives uint8 (height, width, C), C = 3 (RGB) or 1 (grey); the array may be a view.
    `resize(wanted, out)`, where there is one, makes all of it at once: uint8 (rows, columns, C), in `out` if that has
    as many channels; None where it cannot.
    `cost`: how many times the memory of the usual 10 bytes a pixel decoding takes. `scans`: those of a JPEG file, where
    they are known.
    """

    width: int
    height: int
    region: Callable[[int, int, int, int], np.ndarray]
    cost: float = 1.0
    resize: Callable[[Resize, np.ndarray | None], np.ndarray | None] | None = None
    scans: int | None = None


class TooLarge(UserError):
    """The image may be whole, but is not decoded: its size is out of proportion."""


class Undecided(UserError):
    """Whether the image is broken cannot be said: memory ran out, or a decoder ended. What counts images has to end,
    with `advice` behind the sentence, not to count it."""

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.advice = advice


Engine = Callable[[bytes, object], Picture]  # (content of a file, its name for messages: what `str` makes of it)


def open_picture(
    content: bytes | np.ndarray, name: object, engine: Engine, megapixels: float = MOST_MEGAPIXELS
) -> Picture:
    """The picture in a file's `content`, or in pixels uint8 (H, W, C), of at most so many `megapixels`. Nothing is
    decoded yet. UserError, with `name`, unless it is one."""
    picture = from_pixels(content) if isinstance(content, np.ndarray) else engine(content, name)
    if picture.scans is None and isinstance(content, bytes):
        picture = picture._replace(scans=count_scans(content))
    width, height = picture.width, picture.height
    if min(width, height) < 1:
        raise UserError(f"{name} has no pixels: it is {width} x {height}")
    _check_size(picture, name, megapixels)
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise TooLarge(f"{name} is {width} x {height}: more than {MOST_ELONGATED:,} times as long as wide are refused")
    return picture


def _check_size(picture: Picture, name: object, megapixels: float) -> None:
    """Raise TooLarge for what takes more memory, or more time, than an image of `megapixels` of the usual kind."""
    has = picture.width * picture.height / 1e6
    if has > megapixels:
        raise TooLarge(f"{name} has {has:,.1f} megapixels: more than data.max_megapixels={megapixels:g} are refused")
    if has * picture.cost > megapixels:
        raise TooLarge(
            f"{name} takes as much memory as {has * picture.cost:,.1f} megapixels usually do, and more than "
            f"data.max_megapixels={megapixels:g} are refused"
        )
    scans = picture.scans or 0
    if scans > MOST_SCANS or has * scans > SCANNED * megapixels:
        raise TooLarge(f"{name} has {scans:,} scans over {has:,.1f} megapixels, which are refused")


def from_pixels(pixels: np.ndarray) -> Picture:
    """The picture whose pixels uint8 (H, W, C) are there already."""

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        return pixels[top : top + height, left : left + width]

    return Picture(pixels.shape[1], pixels.shape[0], region, resize=partial(resize_pixels, pixels), scans=0)


def resize_pixels(pixels: np.ndarray, wanted: Resize, out: np.ndarray | None) -> np.ndarray | None:
    """What is `wanted` of pixels uint8 (H, W, C), in `out` if that has as many channels; None where the project's own
    library is not here."""
    library, out = load(), wanted.room(pixels.shape[2], out)
    return out if library is not None and library.resize(pixels, wanted, out) else None
