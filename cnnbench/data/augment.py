"""Augmentation of one image. Every draw comes from the generator that is passed in, so that an image looks the same in
whichever process it is made; images are PIL images with values 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageOps

from cnnbench.config import (
    AugmentConfig,
    ContrastConfig,
    CropConfig,
    EqualizeConfig,
    FlipConfig,
    RotateConfig,
    ShiftConfig,
)

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def training_image(
    image: Image.Image, augment: AugmentConfig, size: int, crop_ratio: float, interpolation: str, random: Random
) -> Image.Image:
    """`image` after the configured operations in their order: a square of `size` pixels."""
    for name in augment.order:
        if name == "crop":
            image = training_crop(image, augment.crop, size, crop_ratio, interpolation, random)
        elif random.random() < getattr(augment, name).p:
            image = OPERATIONS[name](image, getattr(augment, name), random)
    return image


def evaluation_image(image: Image.Image, size: int, crop_ratio: float, interpolation: str) -> Image.Image:
    """The central square of `size` pixels, after the short side was resized to size / crop_ratio (antialiased)."""
    image = resize_short_side(image, round(size / crop_ratio), interpolation)
    return crop_square(image, round((image.width - size) / 2), round((image.height - size) / 2), size)


def training_crop(
    image: Image.Image, crop: CropConfig, size: int, crop_ratio: float, interpolation: str, random: Random
) -> Image.Image:
    """The square of `size` pixels that `crop` describes."""
    if crop.kind == "center":
        return evaluation_image(image, size, crop_ratio, interpolation)
    if crop.kind == "random":  # Krizhevsky et al. 2012, section 4.1
        image = resize_short_side(image, round(size / crop_ratio), interpolation)
        left, top = random.randint(0, image.width - size), random.randint(0, image.height - size)
        return crop_square(image, left, top, size)
    left, top, width, height = random_box(image.width, image.height, crop, random)
    image = image.crop((left, top, left + width, top + height))
    return image.resize((size, size), INTERPOLATIONS[interpolation])


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


def resize_short_side(image: Image.Image, short: int, interpolation: str) -> Image.Image:
    """Resize, antialiased, so that the short side has `short` pixels; the long side is rounded down."""
    width, height = image.size
    if width <= height:
        target = (short, int(short * height / width))
    else:
        target = (int(short * width / height), short)
    return image if target == image.size else image.resize(target, INTERPOLATIONS[interpolation])


def crop_square(image: Image.Image, left: int, top: int, size: int) -> Image.Image:
    return image.crop((left, top, left + size, top + size))


def flip(image: Image.Image, _: FlipConfig, random: Random) -> Image.Image:
    """Mirror left to right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def rotate(image: Image.Image, rotation: RotateConfig, random: Random) -> Image.Image:
    """Rotate about the centre, bilinear, by up to `degrees` to either side; uncovered corners are black."""
    return image.rotate(random.uniform(-rotation.degrees, rotation.degrees), Image.Resampling.BILINEAR)


def shift(image: Image.Image, translation: ShiftConfig, random: Random) -> Image.Image:
    """Translate by whole pixels, up to `fraction` of the side along each axis; uncovered borders are black."""
    x, y = (round(random.uniform(-1, 1) * translation.fraction * side) for side in image.size)
    return image.crop((-x, -y, image.width - x, image.height - y))


def contrast(image: Image.Image, stretch: ContrastConfig, random: Random) -> Image.Image:
    """Stretch each channel to 0..255, letting `cutoff` percent saturate at either end."""
    return ImageOps.autocontrast(image, cutoff=stretch.cutoff)


def equalize(image: Image.Image, _: EqualizeConfig, random: Random) -> Image.Image:
    """Equalise the histogram of each channel."""
    return ImageOps.equalize(image)


OPERATIONS: dict[str, Callable[..., Image.Image]] = {
    "flip": flip,
    "rotate": rotate,
    "shift": shift,
    "contrast": contrast,
    "equalize": equalize,
}
