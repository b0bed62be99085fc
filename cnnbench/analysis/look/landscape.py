"""The loss around the weights of a network, along two random directions.

Li, Xu, Taylor, Studer, Goldstein: Visualizing the Loss Landscape of Neural Nets, NIPS 2018, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cnnbench.runtime.progress import tqdm

Direction = dict[str, torch.Tensor]


def random_direction(model: nn.Module, seed: int) -> Direction:
    """A random step for each weight of `model`, filter-normalised (section 4): the step of a filter, which is all
    weights that lead to one output, is as long as the filter. Biases and normalisation stay where they are."""
    generator = torch.Generator().manual_seed(seed)
    direction = {}
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            step = torch.randn(weight.shape, generator=generator).to(weight)
            direction[name] = step * (_lengths(weight.detach()) / _lengths(step).clamp(min=1e-10))
    return direction


def _lengths(filters: torch.Tensor) -> torch.Tensor:
    """The norm of each filter, all weights with the same first index, in the shape that multiplies them."""
    return filters.flatten(1).norm(dim=1).view(-1, *[1] * (filters.dim() - 1))


@torch.inference_mode()
def loss_surface(
    model: nn.Module,
    batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
    directions: tuple[Direction, Direction],
    reach: float,
    points: int,
) -> np.ndarray:
    """The mean cross-entropy over `batches` of images and labels at weights + a d1 + b d2, float64 (points, points).

    Row i has b, column j has a, each at even distances from -`reach` to `reach`. Evaluation mode: no dropout, running
    statistics. The weights are as before, to the bit, afterwards.
    """
    steps = np.linspace(-reach, reach, points)
    losses = np.empty((points, points))
    bar = tqdm(list(product(range(points), range(points))), "loss", leave=False, delay=2, disable=None, unit="point")
    for row, column in bar:
        with _moved(model, directions, (steps[column], steps[row])):
            losses[row, column] = _loss(model, batches)
    return losses


@contextmanager
def _moved(model: nn.Module, directions: tuple[Direction, Direction], by: tuple[float, float]) -> Iterator[None]:
    weights = dict(model.named_parameters())
    before = {name: weights[name].data for name in directions[0]}
    try:
        for name, weight in before.items():
            moved = torch.add(weight, directions[0][name], alpha=by[0])
            weights[name].data = moved.add_(directions[1][name], alpha=by[1])
        yield
    finally:
        for name, weight in before.items():
            weights[name].data = weight


def _loss(model: nn.Module, batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    total, count = 0.0, 0
    for images, labels in batches:
        total += functional.cross_entropy(model(images).float(), labels, reduction="sum").double().item()
        count += len(labels)
    return total / count
