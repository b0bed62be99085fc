"""The training crop: which part of an image is drawn, before anything is decoded."""

from __future__ import annotations

import math
from random import Random

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AT, CropConfig
from cnnbench.data.decode.region import Box, Padded, Part, Window, central_window, scaled


def training_part(width: int, height: int, crop: CropConfig, size: int, arch: ArchConfig, random: Random) -> Part:
    """The part that `crop` draws of an image of width x height pixels, for the network `arch`."""
    crop_ratio = arch.crop_ratio
    if crop.kind == "center":
        return central_window(width, height, size, crop_ratio)
    if crop.kind == "padded":  # He et al. 2016, section 4.2
        window = central_window(width, height, size, crop_ratio)
        right, down = (random.randint(-crop.padding, crop.padding) for _ in range(2))
        return Padded(window, right, down, _colour(crop.border, arch.mean))
    if crop.kind == "random_resized":
        return Box(*random_box(width, height, crop, random), size)
    # Simonyan and Zisserman 2015, section 3.1: the short side is drawn too.
    if crop.kind == "scale_jitter":
        short = random.randint(*(round(side * size / AT) for side in crop.short_side))
    else:
        short = round(size / crop_ratio)
    width, height = scaled(width, height, short)
    if crop.kind in ("fixed_random", "ten_fixed"):  # Krizhevsky et al. 2012, sections 2 and 4.1: the square comes first
        left, top = round((width - short) / 2), round((height - short) / 2)
        right, down = _place(crop.kind, short - size, random)
        return Window(width, height, left + right, top + down, size)
    return Window(width, height, random.randint(0, width - size), random.randint(0, height - size), size)


def _colour(border: str, mean: list[float]) -> tuple[int, int, int] | None:
    red, green, blue = (round(255 * value) for value in mean)
    return {"mean": (red, green, blue), "black": (0, 0, 0), "reflect": None}[border]


def _place(kind: str, room: int, random: Random) -> tuple[int, int]:
    """Where in a square, larger by `room`, a crop lies: anywhere, or at a corner or in the middle."""
    if kind == "fixed_random":
        return random.randint(0, room), random.randint(0, room)
    return random.choice([(0, 0), (room, 0), (0, room), (room, room), (round(room / 2), round(room / 2))])


def random_box(width: int, height: int, crop: CropConfig, random: Random) -> tuple[int, int, int, int]:
    """Left, top, width, height of a box with random area and aspect (Szegedy et al. 2014, section 6).

    Area is uniform in `crop.scale`, the logarithm of the aspect uniform in that of `crop.ratio`. After ten boxes that
    do not fit, the largest central box whose aspect is allowed.
    """
    low, high = crop.ratio
    for _ in range(10):
        area = width * height * random.uniform(*crop.scale)
        aspect = math.exp(random.uniform(math.log(low), math.log(high)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    w = min(width, max(1, round(height * high)))
    h = min(height, max(1, round(width / low)))
    return (width - w) // 2, (height - h) // 2, w, h
