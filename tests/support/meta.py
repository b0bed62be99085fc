"""A pass through a network on the meta device, for the shapes alone."""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch import nn


def on_meta(network: nn.Module, size: int, channels: int = 3, images: int = 1) -> Any:
    """What `network`, on the meta device, puts out for images of side `size`.

    Batch normalisation hands on its map, checked for its channels: torch works out its shapes in Python, which takes
    most of the time of such a pass.
    """
    with mock.patch.object(nn.BatchNorm2d, "forward", _handed_on), torch.no_grad():
        return network(torch.empty(images, channels, size, size, device="meta"))


def _handed_on(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    if x.dim() != 4 or x.shape[1] != norm.num_features:
        raise RuntimeError(f"batch normalisation of {norm.num_features} channels cannot take {tuple(x.shape)}")
    if norm.training and x[:, 0].numel() == 1:
        raise RuntimeError(f"batch normalisation of a single value in each channel: {tuple(x.shape)}")
    return x
