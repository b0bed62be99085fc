"""Names of points in a plot, placed so that they cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

ANGLES = (0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 202, 338, 67, 113, 247, 293)  # degrees, preferred first
GAPS = (2, *range(10, 100, 6))  # points from a marker to its name; the first without a line
ALONG = 16  # places at which a line is held against names and markers
SIZE = 9


class Place(NamedTuple):
    """Where a name may stand, pixels, and whether so far from its marker that it needs a line."""

    middle: np.ndarray
    box: Bbox
    far: bool


def place_names(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], radii: Sequence[float]
) -> None:
    """Write each name beside its point, with a thin line to it where it lies apart.

    `points`: in data coordinates; `radii`: of their markers, typographic points. Both may go on beyond the names, with
    points that have none. The layout of the figure is fixed by this. From right to left each name takes the nearest
    free place whose line crosses no name or marker, or else the free place whose line crosses fewest.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn lie in one
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    pixel, frame = figure.dpi / 72, axes.get_window_extent()
    centres = axes.transData.transform(points)
    markers = [_box(centre, np.full(2, 2 * r * pixel)) for centre, r in zip(centres, radii, strict=True)]
    written: list[Bbox] = []
    lines: list[Bbox] = []
    for i in sorted(range(len(names)), key=lambda i: -centres[i][0]):
        label = axes.annotate(
            names[i],
            points[i],
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SIZE,
            arrowprops=dict(arrowstyle="-", color="#777777", linewidth=0.6, shrinkA=0, shrinkB=radii[i]),
            zorder=5,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
        places = _places(centres[i], radii[i] * pixel, Text.get_window_extent(label), pixel)
        free = (place for place in places if _is_free(place.box, frame, markers + written + lines))
        others = [marker for marker in markers if not marker.overlaps(markers[i])]
        best = _least_crossing(free, centres[i], others + written) or places[0]
        written.append(best.box)
        lines += _line(centres[i], best)
        label.set_position(tuple((best.middle - centres[i]) / pixel))
        if label.arrow_patch is not None:
            label.arrow_patch.set_visible(best.far)


def _places(centre: np.ndarray, radius: float, extent: Bbox, pixel: float) -> list[Place]:
    """Places around a marker for a name of the size of `extent`, the nearest first."""
    places = []
    for gap in GAPS:
        for angle in np.radians(ANGLES):
            size = np.array((extent.width + 2 * pixel, extent.height))
            middle = centre + np.array((np.cos(angle), np.sin(angle))) * (radius + gap * pixel + size / 2)
            places.append(Place(middle, _box(middle, size), gap > GAPS[0]))
    return places


def _is_free(box: Bbox, frame: Bbox, taken: list[Bbox]) -> bool:
    return frame.contains(*box.min) and frame.contains(*box.max) and box.count_overlaps(taken) == 0


def _least_crossing(places: Iterable[Place], centre: np.ndarray, taken: list[Bbox]) -> Place | None:
    """The first of `places` to which a line from `centre` crosses nothing that is taken, or least of it."""
    best, fewest = None, None
    for place in places:
        crossed = sum(part.count_overlaps(taken) for part in _line(centre, place))
        if fewest is None or crossed < fewest:
            best, fewest = place, crossed
        if crossed == 0:
            break
    return best


def _line(centre: np.ndarray, place: Place) -> list[Bbox]:
    """Small boxes along the line from a marker to its name, if there is one."""
    if not place.far:
        return []
    steps = np.linspace(0, 1, ALONG, endpoint=False)
    return [_box(centre + step * (place.middle - centre), np.ones(2)) for step in steps]


def _box(middle: np.ndarray, size: np.ndarray) -> Bbox:
    return Bbox([middle - size / 2, middle + size / 2])
