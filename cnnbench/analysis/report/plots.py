"""The pictures of a report. Importing this imports matplotlib, which is slow: do so when pictures are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from cnnbench.analysis.report import bubbles, curves, first_filters, intervals, ladders, style, times
from cnnbench.analysis.report.confusion import confusion_plot
from cnnbench.analysis.report.picture import COMPARISONS, CURVES, ReportPicture
from cnnbench.analysis.report.run import Run

Drawing = Callable[[], tuple[Figure | None, str]]  # the figure and its caption, or None and why there is none


def draw_plots(runs: list[Run], folder: Path, bench: list[dict[str, Any]]) -> list[ReportPicture]:
    """Write the pictures of `runs` into `folder` as PNG; one Picture for each, also for those that cannot be drawn.

    `bench`: measured speeds, dicts with arch, what and images_per_second; may be empty. Raises OSError if the folder
    cannot be written.
    """
    pictures = []
    with style.styled():
        for name, title, section, drawing in _drawings(runs, bench):
            figure, text = drawing()
            if figure is None:
                pictures.append(ReportPicture(name, title, "", None, section, missing=text))
            else:
                file = folder / f"{name}.png"
                figure.savefig(file, dpi=style.DPI)
                pictures.append(ReportPicture(name, title, text, file, section))
    return pictures


def _drawings(runs: Sequence[Run], bench: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str, Drawing]]:
    """Name, title, section and drawing of every picture, in the order of the report."""
    together = (
        ("errors-by-epoch", "Validation error by epoch", CURVES, curves.errors_by_epoch),
        ("errors-by-time", "Validation error by time", CURVES, curves.errors_by_time),
        ("losses-by-epoch", "Loss by epoch", CURVES, curves.losses_by_epoch),
        ("losses-by-time", "Loss by time", CURVES, curves.losses_by_time),
        ("learning-rate", "Learning rate", CURVES, curves.rates),
        ("where-the-time-went", "Where the time went", CURVES, times.time_shares),
        ("published-and-measured", "Published beside measured", COMPARISONS, intervals.published_beside_measured),
        ("error-by-parameters", "Error against parameters", COMPARISONS, bubbles.error_by_params),
        ("error-by-multiply-adds", "Error against multiply-adds", COMPARISONS, bubbles.error_by_macs),
        ("error-by-speed", "Error against measured speed", COMPARISONS, partial(bubbles.error_by_speed, bench=bench)),
        ("plain-and-residual", "Plain against residual", COMPARISONS, ladders.plain_and_residual),
        ("inception-ladder", "The steps of Inception", COMPARISONS, ladders.inception_ladder),
    )
    for name, title, section, drawing in together:
        yield name, title, section, partial(drawing, runs)
    yield "densenet-and-resnet", "DenseNet against ResNet", COMPARISONS, ladders.densenet_and_resnet
    for number, (run, label) in enumerate(zip(runs, style.labels(runs), strict=True), 1):
        file = f"{number}-{re.sub(r'[^A-Za-z0-9._-]+', '-', label)}"  # names may differ in what no file name has
        yield f"filters-{file}", "First-layer filters", run.name, partial(first_filters.first_filters, run)
        yield f"confusion-{file}", "Confusion of classes", run.name, partial(confusion_plot, run)
