"""The forms in which images are packed, and how an image gets there. Orientation by EXIF is ignored, as in decoding."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.jpeg_structure import read_header
from cnnbench.data.decode.reference import read_image, resize_short_side


@dataclass(frozen=True)
class Recipe:
    """`short_side` in pixels, None: the original's; larger images are resized, antialiased, smaller ones never."""

    form: str  # one of config_data.PACKED_FORMS
    short_side: int | None
    quality: int | None  # of JPEG, 1 to 100
    interpolation: str | None

    def in_words(self) -> str:
        """How results call images of this form."""
        if self.form == "original":
            return "packed original files"
        kind = {"jpeg": f"JPEG, quality {self.quality}, 4:2:0", "raw": "pixels"}[self.form]
        side = f"short side {self.short_side}, {self.interpolation}" if self.short_side else "full size"
        return f"packed {kind}, {side}"


def recipe(form: str, short_side: int | None, quality: int, interpolation: str | None) -> Recipe:
    """The recipe of `cnnbench data pack`'s keys; None: the form's own.

    JPEG: 320 pixels, bicubic, which keeps 1 dB more of the original than bilinear does. Pixels: 256, bilinear, with
    which evaluation by a network's usual protocol (short side 256, bilinear) gets the same pixels as from the original.
    """
    if form == "original":
        return Recipe(form, None, None, None)
    side, filter = {"jpeg": (320, "bicubic"), "raw": (256, "bilinear")}[form]
    return Recipe(form, short_side or side, quality if form == "jpeg" else None, interpolation or filter)


@dataclass(frozen=True)
class Encoded:
    """`content` to be packed, of an image of `shape` (height, width, channels)."""

    content: bytes
    shape: tuple[int, int, int]


def encode(original: bytes | np.ndarray, name: str, recipe: Recipe, megapixels: float = MOST_MEGAPIXELS) -> Encoded:
    """Image `name` in the form of `recipe`, from its file or its pixels; UserError if it cannot be decoded, or has more
    than so many `megapixels`.

    A JPEG file that would not be resized, and is smaller than its new form, stays as it is.
    """
    image = read_image(original, name, megapixels)
    if recipe.form == "original":
        content = original if isinstance(original, bytes) else _as_png(original)
        return Encoded(content, (image.height, image.width, 3))
    shrunk = shrink(image, recipe)
    pixels = np.asarray(shrunk)
    if (pixels == pixels[..., :1]).all():  # grey: a third of the pixels says it all
        pixels = np.ascontiguousarray(pixels[..., :1])
    if recipe.form == "raw":
        return Encoded(pixels.tobytes(), pixels.shape)
    colours = ("RGB", "420") if pixels.shape[2] == 3 else ("GRAY", "Gray")
    content = simplejpeg.encode_jpeg(pixels, recipe.quality, *colours)
    if shrunk.size == image.size and isinstance(original, bytes) and read_header(original) is not None:
        content = min(original, content, key=len)
    return Encoded(content, pixels.shape)


def shrink(image: Image.Image, recipe: Recipe) -> Image.Image:
    """`image` with the short side of `recipe`, or as it is where that is larger."""
    if recipe.short_side is None or recipe.interpolation is None:
        return image
    return resize_short_side(image, min(recipe.short_side, *image.size), recipe.interpolation)


def _as_png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(content, "png")
    return content.getvalue()
