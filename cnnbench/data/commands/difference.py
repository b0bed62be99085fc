"""How far packed pixels are from those of the originals, where it matters: in the crops that a network sees."""

from __future__ import annotations

from functools import partial
from random import Random

import numpy as np
from PIL import Image

from cnnbench.config.augment import CropConfig
from cnnbench.data.augment.crop import random_box
from cnnbench.data.commands.encode import Recipe, encode
from cnnbench.data.commands.fenced import map_fenced
from cnnbench.data.decode.reference import INTERPOLATIONS, evaluation_image, read_image
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.shell import counted

IMAGES = 200  # evenly over the split
SIDE, CROP_RATIO, INTERPOLATION = 224, 0.875, "bilinear"  # of the crops


def difference(split: Split, recipe: Recipe, workers: int | None) -> str:
    """The mean absolute difference, of 255, and the peak signal-to-noise ratio over a sample of `split`, in words."""
    step = max(1, len(split) // IMAGES)
    work, chosen = partial(_errors, split, recipe), range(0, len(split), step)
    found = list(map_fenced(work, lambda _: None, split, chosen, workers, "comparing pixels"))
    pairs = [pair for pair in found if pair is not None]
    if not pairs:
        return "  pixels against the originals': none of those looked at can be decoded"
    errors = np.array(pairs)  # (n, 2 kinds of crop, absolute and squared error)
    lines = [f"  pixels against the originals', in crops of {SIDE} of {counted(len(errors), 'image')}:"]
    for kind, name in enumerate(("random crops, as in training", "centre crops, as in evaluation")):
        lines.append(f"    {name + ':':<32}{_in_words(*errors[:, kind].T)}")
    return "\n".join(lines)


def _in_words(absolute: np.ndarray, squared: np.ndarray) -> str:
    if not absolute.any():
        return "the same"
    with np.errstate(divide="ignore"):
        ratios = 10 * np.log10(255**2 / squared)
    median, low = np.median(ratios), np.percentile(ratios, 5, method="lower")
    return f"mean difference {absolute.mean():.2f} of 255, PSNR {median:.1f} dB (median), {low:.1f} dB (worst 5 %)"


def _errors(split: Split, recipe: Recipe, index: int) -> list[tuple[float, float]] | None:
    """Mean absolute and squared error in a random and in the central crop; None for a broken image."""
    name, file, most = split.name(index), split.read(index), split.max_megapixels
    try:
        original, encoded = read_image(file, name, most), encode(file, name, recipe, most)
    except UserError:
        return None
    pixels = np.frombuffer(encoded.content, np.uint8).reshape(encoded.shape) if recipe.form == "raw" else None
    packed = read_image(encoded.content if pixels is None else pixels, name, most)
    box = random_box(original.width, original.height, CropConfig(), Random(index))
    return [
        _error(_crop(original, box, original.size), _crop(packed, box, original.size)),
        _error(_central(original), _central(packed)),
    ]


def _crop(image: Image.Image, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    """The part of `image` that is `box` (left, top, width, height) in an image of `size`, resized."""
    x, y = image.width / size[0], image.height / size[1]
    left, top, width, height = box
    edges = (left * x, top * y, (left + width) * x, (top + height) * y)
    return image.resize((SIDE, SIDE), INTERPOLATIONS[INTERPOLATION], box=edges)


def _central(image: Image.Image) -> Image.Image:
    return evaluation_image(image, SIDE, CROP_RATIO, INTERPOLATION)


def _error(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    distance = np.asarray(one, np.float32) - np.asarray(other, np.float32)
    return float(np.abs(distance).mean()), float((distance**2).mean())
