"""How pictures look: for print, for colour-blind readers and in grey. Nothing here knows what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from cnnbench.analysis.report.run import Run

PAGE_WIDTH = 7.5  # inches: a page's width; all text is 9 points or more there
DPI = 150
# Okabe and Ito's colours without yellow, which is lost on white. Seven colours, eight markers and four kinds of line
# have no common factor but 4: the first 56 combinations differ, and neighbours differ in all three.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
LINES = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)))
GREY = "#555555"
SETTINGS = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "cnnbench",  # the same ids in every run
    "text.parse_math": False,  # names of runs may hold a $
}


@contextmanager
def styled() -> Iterator[None]:
    """Our settings on matplotlib's own ones, whatever the user's matplotlibrc says; figures are made within."""
    with style.context(["default", SETTINGS]):
        yield


def new_figure(height: float, width: float = PAGE_WIDTH) -> Figure:
    """An empty white figure, inches, that can be measured and saved as PNG without a window."""
    layout = ConstrainedLayoutEngine(wspace=0.05)  # so that labels keep clear of the panel at their left
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def line_style(index: int) -> dict[str, Any]:
    """Colour, marker and line of the run with this number."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def labels(runs: Sequence[Run]) -> list[str]:
    """A short name for each run: the last part of its folder where no other run has the same."""
    last = [Path(run.name).name for run in runs]
    names = [short if last.count(short) == 1 else run.name for short, run in zip(last, runs, strict=True)]
    return [visible(name) for name in names]


def visible(name: str) -> str:
    """`name` as a legend shows it: matplotlib hides what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


def legend_below(figure: Figure, axes: Axes, columns: int | None = None) -> None:
    """The legend of `axes` below the whole figure, which grows to hold it; as many columns as its names allow."""
    handles, names = axes.get_legend_handles_labels()
    longest = max(map(len, names))
    columns = columns or max(1, min(len(names), int(90 / (longest + 8))))
    rows = math.ceil(len(names) / columns)
    figure.set_figheight(figure.get_figheight() + 0.2 * rows)
    figure.legend(handles, names, loc="outside lower center", ncols=columns, handlelength=3.2)


def finite(value: object) -> TypeGuard[float]:
    """Whether this is a number that can be drawn."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def duration(seconds: float) -> str:
    """As a reader says it: 12 s, 3.4 min, 5.1 h, 2.3 d."""
    scale, unit = time_unit(seconds)
    return f"{seconds / scale:.3g} {unit}"


def time_unit(seconds: float) -> tuple[float, str]:
    """Seconds in the unit that suits a span of `seconds`, and its symbol."""
    for scale, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * scale:
            return scale, unit
    return 1, "s"
