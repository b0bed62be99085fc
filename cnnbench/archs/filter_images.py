"""The filters of a convolution as one picture. Does not import torch."""

from __future__ import annotations

import numpy as np


def as_images(weight: np.ndarray) -> np.ndarray:
    """Filters (N, C, H, W) as pictures with values 0 to 1, each stretched from its own least to its own greatest value:
    (N, H, W, 3) for three channels, else (N, H, W), the mean over the channels."""
    weight = np.nan_to_num(weight.astype(np.float64), posinf=0.0, neginf=0.0)
    tiles = weight.transpose(0, 2, 3, 1) if weight.shape[1] == 3 else weight.mean(1)
    axes = tuple(range(1, tiles.ndim))
    low, high = tiles.min(axes, keepdims=True), tiles.max(axes, keepdims=True)
    return np.where(high > low, (tiles - low) / np.where(high > low, high - low, 1), 0.5)


def in_rows(tiles: np.ndarray, columns: int, zoom: int) -> np.ndarray:
    """Pictures (N, H, W) or (N, H, W, 3) as one, `columns` in a row, a weight `zoom` pixels wide; white between."""
    gap = max(1, tiles.shape[1] * zoom // 8)
    empty = [(0, 0)] * (tiles.ndim - 3)
    tiles = np.pad(tiles, [(0, -len(tiles) % columns), (0, 0), (0, 0), *empty], constant_values=1)
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    tiles = np.pad(tiles, [(0, 0), (0, gap), (0, gap), *empty], constant_values=1)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:]).swapaxes(1, 2)  # (row, H, column, W, ...)
    return rows.reshape(-1, columns * tiles.shape[2], *tiles.shape[3:])
