"""The reference form of an image, by Pillow alone: decoded whole, then resized and cut, as torchvision's references do.

Slow and plain; what packs, counts and compares images uses it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cnnbench.config.data import MOST_MEGAPIXELS, MOST_SECONDS
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.region import central_window, scaled

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
PILLOW = make_engine("pillow", seconds=MOST_SECONDS)


def read_image(content: bytes | np.ndarray, name: str, megapixels: float = MOST_MEGAPIXELS) -> Image.Image:
    """The whole image of a file's `content`, or of pixels uint8 (H, W, C), as RGB. UserError if it is not an image, or
    has more than so many `megapixels`."""
    picture = open_picture(content, name, PILLOW, megapixels)
    pixels = picture.region(0, 0, picture.width, picture.height)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")


def evaluation_image(image: Image.Image, size: int, crop_ratio: float, interpolation: str) -> Image.Image:
    """The central square of `size` pixels, after the short side was resized to size / crop_ratio."""
    part = central_window(image.width, image.height, size, crop_ratio)
    image = resize_short_side(image, round(size / crop_ratio), interpolation)
    return image.crop((part.left, part.top, part.left + size, part.top + size))


def resize_short_side(image: Image.Image, short: int, interpolation: str) -> Image.Image:
    """Resize, antialiased, so that the short side has `short` pixels; the long side is rounded down."""
    target = scaled(image.width, image.height, short)
    return image if target == image.size else image.resize(target, INTERPOLATIONS[interpolation])
