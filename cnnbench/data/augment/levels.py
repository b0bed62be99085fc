"""A new value for each of the 256 levels of a channel, by a rule that looks at the channel's histogram alone.

A rule takes histograms, int64 (..., 256), and the levels 0 .. 255, and gives the new levels, int64 (..., 256). It is
written once, with what NumPy arrays and tensors have in common, so that both forms of an operation agree exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from cnnbench.data.decode.opencv import cv2

Array = TypeVar("Array", np.ndarray, torch.Tensor)
Rule = Callable[[Array, Array], Array]
LEVELS = np.arange(256)


def map_levels(image: np.ndarray, rule: Rule) -> np.ndarray:
    """Apply `rule` to each channel of an image, uint8 (H, W, C)."""
    planes = cv2.split(image)
    histograms = np.stack([cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel() for plane in planes])
    tables = rule(histograms.astype(np.int64), LEVELS).astype(np.uint8)
    mapped = [cv2.LUT(plane, table) for plane, table in zip(planes, tables, strict=True)]
    return cv2.merge(mapped).reshape(image.shape)


def map_levels_batch(images: torch.Tensor, rule: Rule) -> torch.Tensor:
    """Apply `rule` to each channel of each image, uint8 (N, C, H, W)."""
    values = images.flatten(2).long()
    levels = torch.arange(256, device=images.device)
    tables = rule(count(values, 256), levels).to(torch.uint8)
    return tables.gather(2, values).view(images.shape)


def count(values: torch.Tensor, bins: int) -> torch.Tensor:
    """How often each of 0 .. bins - 1 occurs along the last axis of `values`, int64 (..., L): int64 (..., bins)."""
    # torch.bincount would make the CPU wait for the GPU.
    counts = values.new_zeros(*values.shape[:-1], bins)
    return counts.scatter_add_(-1, values, values.new_ones(1).expand_as(values))
