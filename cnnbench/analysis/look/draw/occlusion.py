"""What is lost where the image is covered: Figure 6 of Zeiler and Fergus 2014."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import ScalarFormatter

from cnnbench.analysis.look.deconvolution import deconvolve
from cnnbench.analysis.look.draw.drawn import HEAT, Drawn, bare, short, show_pixels, signed
from cnnbench.analysis.look.occlusion import Occlusion, Square, occlude
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style
from cnnbench.config.look import LookConfig

NAMED = 4  # most probable classes that have a shade of their own
PERCENT, LEAST = "%", 5  # least span of the colours, so that nothing is made of a tenth of a point
COVERED = 127  # level of the square, as drawn


def occlusion(subject: Subject) -> Iterator[Drawn]:
    """The five panels of the figure, and the names of the classes."""
    config, square = subject.config, default_square(subject.config, subject.side)
    unit = (subject.layer, subject.unit)
    found = occlude(subject.network, subject.image, subject.target, unit, square, config.batch)
    figure = style.new_figure(4.9)
    panels = figure.subplots(2, 3)
    _cover(panels[0, 0], subject, square)
    target = short(subject.classes[subject.target], 20)
    _heat(figure, panels[0, 1], found, 100 * found.probability, f"probability of {target}", PERCENT)
    _labels(panels[0, 2], subject, found)
    pixels = deconvolve(subject.network, subject.image, *unit)[0]
    show_pixels(panels[1, 0], signed(pixels), f"channel {subject.unit}, deconvolved")
    _heat(figure, panels[1, 1], found, found.activation, f"sum over channel {subject.unit}", "activations")
    bare(panels[1, 2])
    _names(panels[1, 2], subject, found)
    yield Drawn("occlusion", f"Occlusion, and {subject.layer_name}", figure, _caption(subject, found))


def default_square(config: LookConfig, side: int) -> Square:
    """The square that `config` asks for: by default a seventh of the image's side, moved by a sixteenth of it."""
    return Square(config.patch or max(1, side // 7), config.stride or max(1, side // 16))


def _cover(axes: Axes, subject: Subject, square: Square) -> None:
    pixels = subject.pixels.copy()
    first = square.places(subject.side)
    top = int(first[len(first) // 2])
    pixels[top : top + square.side, top : top + square.side] = COVERED
    show_pixels(axes, pixels, f"a square of {square.side} pixels", frame=True)
    axes.add_patch(
        Rectangle((top - 0.5, top - 0.5), square.side, square.side, fill=False, edgecolor="white", linewidth=1)
    )


def _extent(found: Occlusion) -> tuple[float, float, float, float]:
    """Where the centres of the squares lie: left, right, bottom, top, in pixels."""
    half, step = found.square.side / 2 - 0.5, found.square.stride / 2
    return (
        found.lefts[0] + half - step,
        found.lefts[-1] + half + step,
        found.tops[-1] + half + step,
        found.tops[0] + half - step,
    )


def _whole(axes: Axes, subject_side: int, title: str) -> None:
    axes.grid(visible=False)
    axes.set(xlim=(-0.5, subject_side - 0.5), ylim=(subject_side - 0.5, -0.5), xlabel="column (pixels)")
    axes.set_title(title, fontsize=9)


def _heat(figure: Figure, axes: Axes, found: Occlusion, values: np.ndarray, title: str, unit: str) -> None:
    low, high = values.min(), values.max()
    if unit == PERCENT:
        low = max(0.0, min(low, high - LEAST))
        high = max(high, low + LEAST)
    image = axes.imshow(values, cmap=HEAT, vmin=low, vmax=high, extent=_extent(found), interpolation="nearest")
    side = int(found.tops[-1] + found.square.side)
    _whole(axes, side, title)
    bar = figure.colorbar(image, ax=axes, label=unit, shrink=0.85)
    bar.formatter = ScalarFormatter(useOffset=False)


def _shades(found: Occlusion) -> list[int]:
    """The classes that have shades, the most frequent first."""
    labels, counts = np.unique(found.label, return_counts=True)
    return [int(label) for label in labels[np.argsort(-counts, kind="stable")][:NAMED]]


def _colours(count: int) -> list:
    return [matplotlib.colormaps[HEAT](place) for place in np.linspace(0.0, 1.0, count)]


def _labels(axes: Axes, subject: Subject, found: Occlusion) -> None:
    named = _shades(found)
    numbers = np.full(found.label.shape, len(named))
    for place, label in enumerate(named):
        numbers[found.label == label] = place
    cmap = ListedColormap([*_colours(len(named)), "white"])
    norm = BoundaryNorm(np.arange(len(named) + 2) - 0.5, len(named) + 1)
    axes.imshow(numbers, cmap=cmap, norm=norm, extent=_extent(found), interpolation="nearest")
    _whole(axes, subject.side, "most probable class")


def _names(axes: Axes, subject: Subject, found: Occlusion) -> None:
    named = _shades(found)
    patches = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=short(subject.classes[label], 22))
        for colour, label in zip(_colours(len(named)), named, strict=True)
    ]
    if not np.isin(found.label, named).all():
        patches.append(Patch(facecolor="white", edgecolor="black", linewidth=0.5, label="others"))
    axes.legend(handles=patches, loc="center left", title="most probable class", alignment="left")


def _caption(subject: Subject, found: Occlusion) -> str:
    whole, least = 100 * subject.probabilities[subject.target], 100 * found.probability.min()
    kept = (found.label == subject.target).mean()
    return (
        f"A square of {found.square.side} x {found.square.side} pixels in the data's mean colour covers the image at "
        f"{found.label.size} places, {found.square.stride} pixels apart; each cell is the place of its middle. Upper "
        f"row: an example; the probability of {short(subject.classes[subject.target])}, {whole:.1f} % without a square "
        f"and {least:.1f} % at the worst place; the most probable class, which is this one at {kept:.0%} of the "
        f"places. Lower row: what channel {subject.unit} of {subject.layer_name} answers to, and the sum over its map: "
        "where it falls, that channel looked (Zeiler and Fergus 2014, Figure 6)."
    )
