"""A picture: its size, and its pixels once they are asked for. What is too large or of no size is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbench.runtime.errors import UserError

MOST_PIXELS = 89_478_485  # above, an image is refused before it is decoded: where Pillow begins to warn of a "bomb"
MOST_ELONGATED = 1000  # times as long as wide: 128,000 columns left of the central crop of 224 take 90 MB to resize


@dataclass(frozen=True)
class Picture:
    """An image whose size is known and whose pixels are not decoded yet.

    `region(left, top, width, height)` gives uint8 (height, width, C), C = 3 (RGB) or 1 (grey); the array may be a view.
    """

    width: int
    height: int
    region: Callable[[int, int, int, int], np.ndarray]


class TooLarge(UserError):
    """The image may be whole, but is not decoded: its size is out of proportion."""


Engine = Callable[[bytes, str], Picture]  # (content of a file, its name for messages)


def open_picture(content: bytes | np.ndarray, name: str, engine: Engine) -> Picture:
    """The picture in a file's `content`, or in pixels uint8 (H, W, C). UserError, with `name`, unless it is one."""
    picture = from_pixels(content) if isinstance(content, np.ndarray) else engine(content, name)
    width, height = picture.width, picture.height
    if min(width, height) < 1:
        raise UserError(f"{name} has no pixels: it is {width} x {height}")
    if width * height > MOST_PIXELS:
        raise TooLarge(f"{name} has more than {MOST_PIXELS:,} pixels, which are refused")
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise TooLarge(f"{name} is {width} x {height}: more than {MOST_ELONGATED:,} times as long as wide are refused")
    return picture


def from_pixels(pixels: np.ndarray) -> Picture:
    """The picture whose pixels uint8 (H, W, C) are there already."""

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        return pixels[top : top + height, left : left + width]

    return Picture(pixels.shape[1], pixels.shape[0], region)
