"""Receptive fields of a unit: the theoretical one, by the arithmetic of windows, and the effective one, by gradients.

Luo, Li, Urtasun, Zemel: Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cnnbench.analysis.describe.receptive_field import AxisField, Field, Tracer, field_of
from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import Point

INSIDE = 1 - 0.9545  # share of the largest gradient above which a pixel counts as seen (Luo et al., section 3)


@dataclass(frozen=True)
class Box:
    """A rectangle of input pixels, from `top` and `left` on; it may reach beyond the image, where padding is."""

    top: float
    left: float
    height: int
    width: int

    def clipped(self, side: int) -> tuple[slice, slice]:
        """The rows and columns of it that lie in an image of `side` pixels."""
        first = [max(0, int(np.floor(x))) for x in (self.top, self.left)]
        last = [min(side, int(np.ceil(x + size))) for x, size in ((self.top, self.height), (self.left, self.width))]
        return slice(first[0], last[0]), slice(first[1], last[1])


def theoretical_field(model: nn.Module, point: Point, image: torch.Tensor) -> Field:
    """The field of what passes at `point`, for images shaped as `image` (1, C, H, W)."""
    image = image.detach().clone()  # the tracer marks it
    with capture(model, {"layer": point}) as run, torch.no_grad(), Tracer(image):
        field = field_of(run(image)["layer"])
    assert field is not None  # every value comes from the image
    return field


def box_of(field: Field, position: tuple[int, int]) -> Box:
    """What the unit at `position`, (row, column) of its map, can see of the input."""
    (top, height), (left, width) = (
        _interval(axis, place) for axis, place in zip((field.height, field.width), position, strict=True)
    )
    return Box(top, left, height, width)


def _interval(axis: AxisField, place: int) -> tuple[float, int]:
    return axis.start + place * axis.jump, axis.size


def effective_field(
    model: nn.Module,
    point: Point,
    batches: Iterable[torch.Tensor],
    position: tuple[int, int] | None = None,
    unit: int | None = None,
) -> np.ndarray:
    """How strongly each input pixel acts on a unit at `point`: float64 (H, W), its largest value 1.

    The gradient of the unit at `position` (None: the middle of its map) of the channel `unit` (None: of the sum over
    all channels) with respect to the pixels, squared, summed over the colours and the images of `batches` (N, C, H, W);
    the root of that, so that signs do not cancel. Zero everywhere where no unit answers.
    """
    total: torch.Tensor | None = None
    with torch.enable_grad(), capture(model, {"layer": point}) as run:
        for images in batches:
            images = images.detach().requires_grad_()
            answers = run(images)["layer"]
            answers = answers if unit is None else answers[:, unit : unit + 1]
            if answers.dim() == 4:
                row, column = position or (answers.shape[2] // 2, answers.shape[3] // 2)
                answers = answers[:, :, row, column]
            (gradient,) = torch.autograd.grad(answers.sum(), images)
            squares = gradient.double().square().sum((0, 1))
            total = squares if total is None else total + squares
    assert total is not None, "no images"
    field = total.sqrt().cpu().numpy()
    return field / field.max() if field.max() > 0 else field


def effective_side(field: np.ndarray) -> float:
    """The side of a square with as many pixels as `field` (H, W) has above INSIDE of its largest value."""
    return float(np.sqrt((field > INSIDE * field.max()).sum())) if field.max() > 0 else 0.0
