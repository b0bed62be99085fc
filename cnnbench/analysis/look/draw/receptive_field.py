"""The receptive field of a unit, on the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from cnnbench.analysis.look.draw.drawn import HEAT, LINE, SECOND, Drawn, interpolation, show_pixels
from cnnbench.analysis.look.fields import INSIDE, Box, box_of, effective_field, effective_side, theoretical_field
from cnnbench.analysis.look.network import require_map
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style
from cnnbench.data.decode.opencv import cv2

SMOOTHED = 32  # of the image's side, one in so many: over which the border of an effective field is smoothed
FINE = 4  # points for each pixel along which the border is followed
MARGIN = 0.35  # most of the image's side that is shown beyond each of its edges
AVERAGED = 20  # images of the split over which the field of the layer is averaged


def receptive_field(subject: Subject) -> Iterator[Drawn]:
    """The unit's field on the image, and the layer's effective field over many images."""
    network, point = subject.network, subject.layer
    require_map(network, point, "receptive_field")
    field = theoretical_field(network.model, point, subject.image)
    box = box_of(field, subject.place)
    own = effective_field(network.model, point, [subject.image], subject.place, subject.unit)
    middle = (point.shape[1] // 2, point.shape[2] // 2)
    many = _images(subject)
    layer = effective_field(network.model, point, many, middle)
    figure = style.new_figure(3.7)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.13))
    _on_image(left, subject, own, box)
    _averaged(figure, right, layer, box_of(field, middle))
    shown = sum(len(images) for images in many)
    yield Drawn(
        "receptive-field",
        f"Receptive field of {subject.layer_name}",
        figure,
        _caption(subject, (own, layer), box, shown),
    )


def _images(subject: Subject) -> list:
    if subject.split is None:
        return [subject.image]
    some = subject.split.first(AVERAGED)
    return [images for _, images, _, _ in subject.split.batches(some, "effective field")]


def _on_image(axes: Axes, subject: Subject, own: np.ndarray, box: Box) -> None:
    side = subject.side
    show_pixels(axes, subject.pixels, f"channel {subject.unit} at {subject.place}", frame=True)
    _outline(axes, own, box)
    _draw_box(axes, box)
    _limit(axes, box, side)


def _averaged(figure: Figure, axes: Axes, layer: np.ndarray, box: Box) -> None:
    image = axes.imshow(layer, cmap=HEAT, norm=PowerNorm(0.5, 0, 1), interpolation=interpolation(len(layer)))
    axes.grid(visible=False)
    axes.set(xlabel="column (pixels)", ylabel="row (pixels)", title="the middle unit, all channels")
    _outline(axes, layer, box)
    _draw_box(axes, box)
    _limit(axes, box, len(layer))
    ticks = (0, 0.05, 0.25, 0.5, 1)
    bar = figure.colorbar(image, ax=axes, label="gradient (share of the largest)", ticks=ticks, shrink=0.8)
    bar.minorticks_off()


def _outline(axes: Axes, field: np.ndarray, box: Box) -> None:
    """The border of an effective field, smoothed so that it does not fall apart, along the edges of pixels."""
    smooth = np.zeros_like(field)
    smooth[box.clipped(len(field))] = cv2.GaussianBlur(field, (0, 0), len(field) / SMOOTHED)[box.clipped(len(field))]
    if smooth.max() > 0:
        fine = smooth.repeat(FINE, 0).repeat(FINE, 1)
        places = (np.arange(len(fine)) + 0.5) / FINE - 0.5
        edge: dict[str, Any] = {"colors": SECOND, "linewidths": 1.8, "linestyles": "dashed"}
        lines = axes.contour(places, places, fine, levels=[INSIDE * smooth.max()], **edge)
        lines.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _draw_box(axes: Axes, box: Box) -> None:
    around = Rectangle((box.left - 0.5, box.top - 0.5), box.width, box.height, fill=False, edgecolor=LINE, linewidth=2)
    around.set_path_effects([withStroke(linewidth=4, foreground="white")])
    axes.add_patch(around)


def _limit(axes: Axes, box: Box, side: int) -> None:
    """Show the whole image, and beyond each of its edges the box where that is near."""
    left, right = _reach(box.left, box.left + box.width, side)
    top, bottom = _reach(box.top, box.top + box.height, side)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _reach(first: float, last: float, side: int) -> tuple[float, float]:
    most = MARGIN * side
    low, high = first - 1 if -most <= first < 0 else 0, last + 1 if side < last <= side + most else side
    return low - 0.5, high - 0.5


def _caption(subject: Subject, fields: tuple[np.ndarray, np.ndarray], box: Box, images: int) -> str:
    own, layer = (effective_side(field) for field in fields)
    over = f"{images} images of the split" if subject.split is not None else "this image alone"
    ends = min(box.top + box.height, box.left + box.width)
    whole = max(box.top, box.left) <= 0 and ends >= subject.side
    beyond = "which holds the whole image" if whole else "of which what lies beyond the image is padding"
    silent = "; it does not answer here, and has none" if own == 0 else ""
    return (
        f"Solid: the theoretical field, {box.height} x {box.width} pixels, {beyond}. "
        f"Dashed: the effective field, where the gradient is above {INSIDE:.2%} of its largest value (Luo et "
        f"al. 2016). Left: of the unit of {subject.layer_name} that answers most in channel {subject.unit}, at row and "
        f"column {subject.place} of its map: as many pixels as a square of side {own:.0f}{silent}. Right: of the unit "
        f"in the middle of the map, root mean square over {over}: a side of {layer:.0f}; colours follow the square "
        "root."
    )
