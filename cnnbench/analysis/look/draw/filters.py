"""The filters of a convolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from cnnbench.analysis.look.draw.drawn import Drawn, bare
from cnnbench.analysis.look.network import Network
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style
from cnnbench.analysis.report.first_filters import filters_plot
from cnnbench.runtime.errors import UserError

ROWS, COLUMNS = 8, 10  # filters, and input channels of each, of a layer that is not the first


def filters(subject: Subject) -> Iterator[Drawn]:
    """The filters of the layer that is looked at, or of the first convolution where none is named."""
    name, weight = convolution(subject)
    if weight.shape[1] in (1, 3):
        figure, caption = filters_plot(name, weight)
    elif weight.shape[2:] == (1, 1):
        figure, caption = _matrix(name, weight[:, :, 0, 0])
    else:
        figure, caption = _deep(name, weight, subject.config.unit)
    yield Drawn("filters", f"Filters of {name}", figure, caption)


def convolution(subject: Subject) -> tuple[str, np.ndarray]:
    """Name and weights (out, in, H, W). UserError where the layer that is named has no filters."""
    network, wish = subject.network, subject.config.layer
    found = {path: layer for path, layer in network.model.named_modules() if isinstance(layer, nn.Conv2d)}
    path = next(iter(found)) if wish is None else _path(network, wish, list(found))
    if path is None:
        raise UserError(
            f"layer={wish} has no filters: choose a convolution, as {network.called(network.find(next(iter(found))))}"
        )
    return wish or path, found[path].weight.detach().float().cpu().numpy()


def _path(network: Network, name: str, convolutions: list[str]) -> str | None:
    """The convolution that `name` is of: itself, or the last one that runs before the point, as conv4_3 is after the
    ReLU of its convolution."""
    point = network.find(name)
    if point.path in convolutions:
        return point.path
    before = [
        path
        for path in convolutions
        if (other := network.names.get(path)) is not None and other.order < point.order and other.shape == point.shape
    ]
    return before[-1] if before and len(point.shape) == 3 else None


def _matrix(name: str, weight: np.ndarray) -> tuple[Figure, str]:
    figure = style.new_figure(5.0)
    axes = figure.subplots()
    largest = np.abs(weight).max()
    image = axes.imshow(weight, cmap="gray", vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel="input channel", ylabel="filter")
    figure.colorbar(image, label="weight")
    return figure, (
        f"{name} has 1 x 1 filters, each a mixture of its {weight.shape[1]} input channels: a row for each of the "
        f"{weight.shape[0]} filters, grey where the weight is zero."
    )


def _deep(name: str, weight: np.ndarray, unit: int | None) -> tuple[Figure, str]:
    strength = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)
    order = np.argsort(-strength, kind="stable")
    if unit is not None and unit < len(weight):
        order = np.array([unit, *order[order != unit]])
    chosen = order[:ROWS]
    columns = min(COLUMNS, weight.shape[1])
    figure = style.new_figure(0.3 + 0.78 * len(chosen))
    panels = figure.subplots(len(chosen), columns, squeeze=False)
    for row, number in zip(panels, chosen, strict=True):
        largest = np.abs(weight[number]).max()
        inputs = np.argsort(-np.linalg.norm(weight[number], axis=(1, 2)), kind="stable")[:columns]
        for axes, channel in zip(row, inputs, strict=True):
            axes.imshow(weight[number, channel], cmap="gray", vmin=-largest, vmax=largest, interpolation="nearest")
            axes.set_title(str(channel), fontsize=9, pad=2)
            bare(axes)
        row[0].set_ylabel(f"filter {number}  ", rotation=0, ha="right", va="center", fontsize=9)
    kind = "the one asked for first, then those" if unit is not None else "those"
    return figure, (
        f"{len(chosen)} of the {len(weight)} filters of {name}, {weight.shape[2]} x {weight.shape[3]}, {kind} with the "
        f"largest weights. In each row the {columns} of its {weight.shape[1]} input channels with the largest weights, "
        "their numbers above. Mid grey is zero, white positive, black negative, on one scale within a row."
    )
