"""Translation by whole pixels; uncovered borders are black.

Numbers: the way to the right and the way down, as shares of the width and the height.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch

from cnnbench.config.augment import ShiftConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.runtime.devices import to_device


def draw(shift: ShiftConfig, random: Random) -> tuple[float, float]:
    return random.uniform(-1, 1) * shift.fraction, random.uniform(-1, 1) * shift.fraction


def apply(image: np.ndarray, numbers: tuple[float, float]) -> np.ndarray:
    height, width = image.shape[:2]
    right, down = round(numbers[0] * width), round(numbers[1] * height)
    shifted = np.zeros_like(image)
    shifted[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = image[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return shifted


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    along_width = _shift_axis(images, numbers[:, 0], 3)
    return _shift_axis(along_width, numbers[:, 1], 2)


def _shift_axis(images: torch.Tensor, shares: torch.Tensor, axis: int) -> torch.Tensor:
    """Each image moved by its share of the length of `axis`."""
    length = images.shape[axis]
    pixels = to_device((shares * length).round().long(), images.device)
    source = torch.arange(length, device=images.device) - pixels[:, None]  # (N, length)
    source = source.view(-1, 1, 1, length) if axis == 3 else source.view(-1, 1, length, 1)
    moved = images.gather(axis, source.clamp(0, length - 1).expand_as(images))
    return moved * ((source >= 0) & (source < length))


SHIFT = Operation(2, draw, apply, apply_batch)
