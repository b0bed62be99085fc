"""Histogram equalisation, each channel on its own.

The rule is that of Pillow's ImageOps.equalize, which AutoAugment and its successors use too, rather than OpenCV's.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch

from cnnbench.config.augment import EqualizeConfig
from cnnbench.data.augment.levels import Array, map_levels, map_levels_batch
from cnnbench.data.augment.operation import Operation


def draw(_: EqualizeConfig, random: Random) -> tuple[()]:
    return ()


def apply(image: np.ndarray, _: tuple[()]) -> np.ndarray:
    return map_levels(image, flatten)


def apply_batch(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return map_levels_batch(images, flatten)


def flatten(histograms: Array, levels: Array) -> Array:
    """New levels that occur about equally often."""
    up_to = histograms.cumsum(-1)
    total = up_to[..., -1:]
    lightest = (histograms * (up_to == total)).sum(-1)[..., None]  # pixels of the lightest level that occurs
    step = (total - lightest) // 255  # pixels for each new level
    few = step == 0
    new = ((step // 2 + up_to - histograms) // (step + few)).clip(0, 255)
    return new * ~few + levels * few  # as it was: a single level, or fewer pixels than levels


EQUALIZE = Operation(0, draw, apply, apply_batch)
