"""What the first layer of a trained network looks for."""

from __future__ import annotations

import math
import pickle

import numpy as np
from matplotlib.figure import Figure

from cnnbench.analysis.report import style
from cnnbench.analysis.report.run import Run
from cnnbench.archs.filter_images import as_images, in_rows

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
    return filters_plot(name, weight)


def filters_plot(name: str, weight: np.ndarray) -> tuple[Figure, str]:
    """The filters (N, C, H, W) of the layer `name` in rows, and the caption: in colour or grey as the channels are."""
    tiles = as_images(weight)
    shown = tiles[:MOST]
    columns = min(ACROSS, math.ceil(math.sqrt(2 * len(shown))))
    rows = math.ceil(len(shown) / columns)
    figure = style.new_figure(0.1 + 6.4 * rows / columns, 6.4)
    ax = figure.subplots()
    ax.axis("off")
    ax.imshow(in_rows(shown, columns, ZOOM), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    filters, channels, height, width = weight.shape
    kinds = {1: "as grey values", 3: "its three channels as red, green and blue"}
    return figure, (
        f"{len(shown)} of the {filters} filters of {name}, {height} x {width}, {channels} input "
        f"channel{'s' * (channels != 1)}, {kinds.get(channels, 'the mean over its channels as grey values')}. Each is "
        "stretched from its own smallest to its own largest weight: shapes can be compared, strengths cannot."
    )


def _first_convolution(file) -> tuple[str, np.ndarray | None]:
    """Name and weights of the first convolution in a checkpoint, or why there are none, and None."""
    import torch  # slow to import, and only this picture needs it

    try:
        weights = torch.load(file, map_location="cpu", weights_only=True, mmap=True)["model"]
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        return f"cannot be read ({type(error).__name__})", None
    for name, value in weights.items():
        if value.ndim == 4:
            return name.removesuffix(".weight"), value.float().numpy()
    return "holds no convolution", None
