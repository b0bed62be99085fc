"""The training crop: which part of an image is drawn, before anything is decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from cnnbench.config.arch import ArchConfig, without_field
from cnnbench.config.augment import AT, CropConfig
from cnnbench.data.decode.region import Box, Padded, Part, Window, central_window, scaled

PlacedBox = tuple[int, int, int, int]  # left, top, width, height, pixels
TRIES, TENSORFLOWS_TRIES = 10, 100  # of boxes that may not fit
COVERED = 0.1  # least share of the image: min_object_covered of slim, whose object is the whole image


def training_part(width: int, height: int, crop: CropConfig, size: int, arch: ArchConfig, random: Random) -> Part:
    """The part that `crop` draws of an image of width x height pixels, for the network `arch`."""
    if crop.kind == "center":
        return central_window(width, height, size, arch.crop_ratio)
    if crop.kind == "padded":  # He et al. 2016, section 4.2
        window = central_window(width, height, size, arch.crop_ratio)
        right, down = (random.randint(-crop.padding, crop.padding) for _ in range(2))
        return Padded(window, right, down, _colour(crop.border, arch.mean))
    if crop.kind in BOXES:
        return Box(*BOXES[crop.kind](width, height, crop, random), size)
    # Simonyan and Zisserman 2015, section 3.1: the short side is drawn too.
    if crop.kind == "scale_jitter":
        short = random.randint(*(round(side * size / AT) for side in crop.short_side))
    else:
        short = round(size / without_field(arch.crop_ratio))
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


def random_box(width: int, height: int, crop: CropConfig, random: Random) -> PlacedBox:
    """A box with random area and aspect (Szegedy et al. 2014, section 6), as torchvision's RandomResizedCrop draws it.

    Area is uniform in `crop.scale`, the logarithm of the aspect uniform in that of `crop.ratio`. After ten boxes that
    do not fit, the largest central box whose aspect is allowed.
    """
    low, high = crop.ratio
    for _ in range(TRIES):
        aspect = math.exp(random.uniform(math.log(low), math.log(high)))
        if box := _of_random_area(width, height, aspect, crop, random):
            return box
    return _central(width, height, min(width, max(1, round(height * high))), min(height, max(1, round(width / low))))


def random_sized_box(width: int, height: int, crop: CropConfig, random: Random) -> PlacedBox:
    """As `random_box`, but as fb.resnet.torch draws it (datasets/transforms.lua:130): the aspect is uniform in
    `crop.ratio`, half of the time the other way round; after ten boxes that do not fit, the central square."""
    for _ in range(TRIES):
        aspect = random.uniform(*crop.ratio)
        if random.random() < 0.5:
            aspect = 1 / aspect
        if box := _of_random_area(width, height, aspect, crop, random):
            return box
    return _central(width, height, min(width, height), min(width, height))


def distorted_box(width: int, height: int, crop: CropConfig, random: Random) -> PlacedBox:
    """As `random_box`, but as TensorFlow's sample_distorted_bounding_box draws it for slim (inception_preprocessing.py,
    distorted_bounding_box_crop) without boxes of objects.

    The aspect is uniform in `crop.ratio`; the height is uniform between those of the areas of `crop.scale`, as far as
    the box fits, so that small boxes come more often than by a uniform area. Boxes of less than a tenth of the image
    are drawn again; after a hundred tries, the whole image.
    """
    for _ in range(TENSORFLOWS_TRIES):
        aspect = random.uniform(*crop.ratio)
        least, most = (round(math.sqrt(share * width * height / aspect)) for share in crop.scale)
        most = min(most, height, int((width + 0.5) / aspect))
        h = random.randint(min(least, most), most)
        w = round(h * aspect)
        if 0 < w <= width and max(COVERED, crop.scale[0]) * width * height <= w * h:
            return random.randrange(max(1, width - w)), random.randrange(max(1, height - h)), w, h
    return 0, 0, width, height


def _of_random_area(width: int, height: int, aspect: float, crop: CropConfig, random: Random) -> PlacedBox | None:
    """A box of this aspect, its area uniform in `crop.scale`, anywhere in the image; None if it does not fit."""
    area = width * height * random.uniform(*crop.scale)
    w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    if 0 < w <= width and 0 < h <= height:
        return random.randint(0, width - w), random.randint(0, height - h), w, h
    return None


def _central(width: int, height: int, w: int, h: int) -> PlacedBox:
    return (width - w) // 2, (height - h) // 2, w, h


# Crops of random size, resized to a square: the boxes that they are cut at.
BOXES: dict[str, Callable[[int, int, CropConfig, Random], PlacedBox]] = {
    "random_resized": random_box,
    "random_sized": random_sized_box,
    "distorted_box": distorted_box,
}
