"""Names of points in a plot, placed so that they cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

ANGLES = np.radians((0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 202, 338, 67, 113, 247, 293))  # preferred first
GAPS = np.array(
    (2, 10, 18, 27, 37, 48, 60, 75, 92)
)  # points between a marker's edge and its name; the first without a line
ROUNDS = 5  # times that every name may move, knowing the others
ALONG = 24  # points by which a line is tested
SIZE = 9


def place(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], radii: Sequence[float]) -> None:
    """Write each name beside its point, with a thin line to it where it lies apart.

    `points`: in data coordinates; `radii`: of their markers, typographic points. Both may go on beyond the names, with
    points that have none. The layout of the figure is fixed by this. Greedy, the same for the same input: each name
    takes the cheapest of 144 places, in several rounds.
    """
    axes.figure.draw_without_rendering()
    axes.figure.set_layout_engine("none")
    pixel = axes.figure.dpi / 72
    centres = axes.transData.transform(points)
    offsets = best_offsets(
        centres, np.array(radii) * pixel, _sizes(axes, names), np.array(axes.get_window_extent().extents), pixel
    )
    for point, name, radius, offset, far in zip(points, names, radii, *offsets, strict=False):
        line = dict(arrowstyle="-", color="#777777", linewidth=0.6, shrinkA=0, shrinkB=radius) if far else None
        axes.annotate(
            name,
            point,
            tuple(offset / pixel),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SIZE,
            arrowprops=line,
            zorder=5,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def best_offsets(
    centres: np.ndarray, radii: np.ndarray, sizes: np.ndarray, frame: np.ndarray, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    """From markers to the centres of their names, (N, 2); and which names need a line, bool (N,).

    `centres` (M, 2), `radii` (M,): of M markers, the first N of which have names, of `sizes` (N, 2: width, height);
    `frame`: left, bottom, right, top, to stay within. All in pixels, `pixel` of them to a typographic point.
    """
    named = len(sizes)
    markers = _boxes(centres, 2 * np.stack([radii, radii], 1))
    centres, radii = centres[:named], radii[:named]
    gaps, angles = (grid.ravel() for grid in np.meshgrid(GAPS, ANGLES, indexing="ij"))
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    offsets = directions * (radii[:, None, None] + gaps[:, None] * pixel + sizes[:, None] / 2)  # (N, places, 2)
    boxes = _boxes(centres[:, None] + offsets, sizes[:, None])
    lines = centres[:, None, None] + offsets[:, :, None] * np.linspace(0, 1, ALONG, endpoint=False)[:, None]
    lines[:, gaps == GAPS[0]] = np.nan  # no line: crosses nothing

    # Square pixels that a place covers, names and the frame counting most; then crossings, and distance.
    fixed = 6 * pixel * gaps + 20 * (np.prod(sizes, 1)[:, None] - _overlap(boxes, frame))
    for number, marker in enumerate(markers):
        others = np.arange(named) != number
        fixed[others] += 15 * _overlap(boxes[others], marker) + 500 * _crossings(lines[others], marker)
    chosen = np.full(named, -1)
    for _ in range(ROUNDS):
        before = chosen.copy()
        for name in range(named):
            others = np.flatnonzero((chosen >= 0) & (np.arange(named) != name))
            taken, crossing = boxes[others, chosen[others]], lines[others, chosen[others]]
            covered = _overlap(boxes[name][:, None], taken).sum(1)
            crossed = _crossings(lines[name][:, None], taken) + _crossings(crossing, boxes[name][:, None])
            cost = fixed[name] + 20 * covered + 900 * crossed.sum(1)
            chosen[name] = cost.round(3).argmin()  # rounded: of equal places the first
        if (chosen == before).all():
            break
    return offsets[np.arange(named), chosen], gaps[chosen] > GAPS[0]


def _sizes(axes: Axes, names: Sequence[str]) -> np.ndarray:
    """Width and height of each name with a little room, pixels."""
    texts = [axes.text(0, 0, name, fontsize=SIZE) for name in names]
    extents = [text.get_window_extent() for text in texts]
    for text in texts:
        text.remove()
    return np.array([(extent.width + 4, extent.height + 1) for extent in extents])


def _boxes(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Left, bottom, right, top: (..., 4)."""
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], -1)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area that boxes share."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.prod(sides.clip(min=0), -1)


def _crossings(lines: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How many points of each line (..., ALONG, 2) lie in each box (..., 4)."""
    inside = (lines >= boxes[..., None, :2]) & (lines <= boxes[..., None, 2:])
    return inside.all(-1).sum(-1)
