"""Which operations act on an image, with which numbers: drawn per image, applied to one image or, as rows, to a batch.

A row holds what happens to one image after the crop, in a fixed number of columns: for each operation in
the order that may act (p above 0), 1 or 0 for whether it acts, and its numbers (0 where it does not act).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np
import torch

from cnnbench.config.augment import AugmentConfig
from cnnbench.data.augment.operations import OPERATIONS
from cnnbench.runtime.devices import to_device

Draws = list[tuple[str, tuple[float, ...]]]  # (operation, its numbers), in the order in which they act


class Step(NamedTuple):
    """An operation, by its name, that acts with probability `p`, with the numbers that `draw` draws."""

    name: str
    p: float
    draw: Callable[[Random], tuple[float, ...]]


def steps(augment: AugmentConfig) -> tuple[list[Step], list[Step]]:
    """What may act before the crop and after it, in that order; made once, for many images."""
    place = augment.order.index("crop")
    return _steps(augment, augment.order[:place]), _steps(augment, augment.order[place + 1 :])


def drawn(steps: list[Step], random: Random) -> Draws:
    """What acts on one image of `steps`. Whatever comes out, operations draw in the same order."""
    return [(name, numbers(random)) for name, p, numbers in steps if random.random() < p]


def draw_all(augment: AugmentConfig, random: Random) -> tuple[Draws, Draws]:
    """What acts on one image before the crop and after it."""
    before, after = steps(augment)
    return drawn(before, random), drawn(after, random)


def apply_all(image: np.ndarray, draws: Draws) -> np.ndarray:
    """The image, uint8 (H, W, C), after the operations drawn; the image itself where there are none."""
    for name, numbers in draws:
        image = OPERATIONS[name].apply(image, numbers)
    return image


def row(augment: AugmentConfig, draws: Draws) -> tuple[float, ...]:
    """The draws of what acts after the crop as a row of `row_width` columns."""
    drawn = dict(draws)
    columns: list[float] = []
    for name in _after_crop(augment):
        columns += (1.0, *drawn[name]) if name in drawn else (0.0,) * (1 + OPERATIONS[name].parameters)
    return tuple(columns)


def row_width(augment: AugmentConfig) -> int:
    return sum(1 + OPERATIONS[name].parameters for name in _after_crop(augment))


def apply_rows(images: torch.Tensor, rows: torch.Tensor, augment: AugmentConfig) -> torch.Tensor:
    """New images, uint8 (N, C, H, W) on the device of `images`, after what `rows`, float64 (N, row_width), say.

    `rows` stay on the CPU, where the loader made them: so each operation is given only the images on which it acts,
    and nothing here waits for the device.
    """
    images, column = images.clone(), 0
    for name in _after_crop(augment):
        operation = OPERATIONS[name]
        end = column + 1 + operation.parameters
        chosen = rows[:, column].nonzero().squeeze(1)
        if len(chosen):
            index = to_device(chosen, images.device)
            changed = operation.apply_batch(images.index_select(0, index), rows[chosen, column + 1 : end])
            images.index_copy_(0, index, changed)
        column = end
    return images


def _steps(augment: AugmentConfig, names: list[str]) -> list[Step]:
    groups = [(name, getattr(augment, name)) for name in names]
    return [Step(name, group.p, partial(OPERATIONS[name].draw, group)) for name, group in groups]


def _after_crop(augment: AugmentConfig) -> list[str]:
    """The operations that may act after the crop, in their order."""
    return [name for name in augment.order[augment.order.index("crop") + 1 :] if getattr(augment, name).p > 0]
