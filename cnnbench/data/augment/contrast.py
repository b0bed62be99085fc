"""Contrast stretching: each channel linearly to 0 .. 255, where a percentage of its pixels saturates at either end.

Numbers: that percentage. The rule is Pillow's ImageOps.autocontrast, in whole numbers: where the new level is whole,
Pillow's floats may fall just short of it and give the level below.
"""

from __future__ import annotations

from functools import partial
from random import Random

import numpy as np
import torch

from cnnbench.config.augment import ContrastConfig
from cnnbench.data.augment.levels import Array, map_levels, map_levels_batch
from cnnbench.data.augment.operation import Operation
from cnnbench.runtime.devices import to_device


def draw(contrast: ContrastConfig, random: Random) -> tuple[float]:
    return (contrast.cutoff,)


def apply(image: np.ndarray, numbers: tuple[float]) -> np.ndarray:
    height, width = image.shape[:2]
    return map_levels(image, partial(stretch, cut=int(height * width * numbers[0] // 100)))


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    cut = (height * width * numbers // 100).long().unsqueeze(2)
    return map_levels_batch(images, partial(stretch, cut=to_device(cut, images.device)))


def stretch(histograms: Array, levels: Array, cut: int | Array) -> Array:
    """New levels of channels of which `cut` pixels, whole levels of them, may saturate at either end."""
    up_to = histograms.cumsum(-1)
    from_here = up_to[..., -1:] - up_to + histograms
    low = (up_to <= cut).sum(-1)[..., None]  # the first level that does not saturate
    high = 255 - (from_here <= cut).sum(-1)[..., None]  # and the last
    flat = high <= low
    new = ((levels - low) * 255 // (high - low).clip(1, 255)).clip(0, 255)
    return new * ~flat + levels * flat  # a channel of a single level has nothing to stretch


CONTRAST = Operation(1, draw, apply, apply_batch)
