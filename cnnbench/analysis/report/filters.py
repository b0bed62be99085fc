"""What the first layer of a trained network looks for."""

from __future__ import annotations

import math
import pickle

import numpy as np
from matplotlib.figure import Figure

from cnnbench.analysis.report import style
from cnnbench.analysis.report.run import Run

MOST = 128  # filters drawn
ACROSS = 16
ZOOM = 8  # pixels to a weight


def first_filters(run: Run) -> tuple[Figure | None, str]:
    """The filters of the first convolution: the figure and its caption, or None and why there is none."""
    file = run.folder / "checkpoints" / "last.pt"
    if not file.exists():
        return None, "no weights: the run has no checkpoints/last.pt"
    name, weight = _first_convolution(file)
    if weight is None:
        return None, f"{file.name}: {name}"
    tiles = as_images(weight)
    shown = tiles[:MOST]
    columns = min(ACROSS, math.ceil(math.sqrt(2 * len(shown))))
    rows = math.ceil(len(shown) / columns)
    figure = style.new_figure(0.1 + 6.4 * rows / columns, 6.4)
    ax = figure.subplots()
    ax.axis("off")
    ax.imshow(in_rows(shown, columns), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    filters, channels, height, width = weight.shape
    kinds = {1: "as grey values", 3: "its three channels as red, green and blue"}
    return figure, (
        f"{len(shown)} of the {filters} filters of {name}, {height} x {width}, {channels} input "
        f"channel{'s' * (channels != 1)}, {kinds.get(channels, 'the mean over its channels as grey values')}. Each is "
        "stretched from its own smallest to its own largest weight: shapes can be compared, strengths cannot."
    )


def as_images(weight: np.ndarray) -> np.ndarray:
    """Filters (N, C, H, W) as pictures with values 0 to 1: (N, H, W, 3) for three channels, else (N, H, W)."""
    weight = np.nan_to_num(weight.astype(np.float64), posinf=0.0, neginf=0.0)
    tiles = weight.transpose(0, 2, 3, 1) if weight.shape[1] == 3 else weight.mean(1)
    axes = tuple(range(1, tiles.ndim))
    low, high = tiles.min(axes, keepdims=True), tiles.max(axes, keepdims=True)
    return np.where(high > low, (tiles - low) / np.where(high > low, high - low, 1), 0.5)


def in_rows(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, H, W) or (N, H, W, 3) as one, `columns` in a row, a weight ZOOM pixels wide; white between."""
    gap = tiles.shape[1]  # an eighth of a tile
    empty = [(0, 0)] * (tiles.ndim - 3)
    tiles = np.pad(tiles, [(0, -len(tiles) % columns), (0, 0), (0, 0), *empty], constant_values=1)
    tiles = tiles.repeat(ZOOM, 1).repeat(ZOOM, 2)
    tiles = np.pad(tiles, [(0, 0), (0, gap), (0, gap), *empty], constant_values=1)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:]).swapaxes(1, 2)  # (row, H, column, W, ...)
    return rows.reshape(-1, columns * tiles.shape[2], *tiles.shape[3:])


def _first_convolution(file) -> tuple[str, np.ndarray | None]:
    """Name and weights of the first convolution in a checkpoint, or why there are none, and None."""
    import torch  # slow to import, and only this picture needs it

    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)["model"]
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        return f"cannot be read ({type(error).__name__})", None
    for name, value in weights.items():
        if value.ndim == 4:
            return name.removesuffix(".weight"), value.float().numpy()
    return "holds no convolution", None
