"""The pictures of a report. Importing this imports matplotlib, which is slow: do so when pictures are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from cnnbench.analysis.report import against_cost, bubbles, curves, first_filters, intervals, ladders, style, times
from cnnbench.analysis.report.confusion import confusion_plot
from cnnbench.analysis.report.picture import COMPARISONS, CURVES, FIRST, ReportPicture
from cnnbench.analysis.report.run import Run
from cnnbench.archs.facts import facts
from cnnbench.runtime.progress import tqdm

Drawing = Callable[[], tuple[Figure | None, str]]  # the figure and its caption, or None and why there is none


# Pictures of published networks, which say something where a run is of one of these families.
CHARTED = frozenset(bubbles.FAMILY_MARKERS)
OF_FAMILIES = {
    **dict.fromkeys(("error-by-parameters", "error-by-multiply-adds", "error-by-speed"), CHARTED),
    "plain-and-residual": frozenset({"resnet", "plain", "cifar_resnet"}),
    "inception-ladder": frozenset({"googlenet", "inception"}),
    "densenet-and-resnet": frozenset({"densenet", "resnet"}),
}


def draw_plots(runs: list[Run], folder: Path, bench: list[dict[str, Any]]) -> list[ReportPicture]:
    """Write the pictures of `runs` into `folder`, as SVG or, where they are made of pixels, PNG, and each as PDF too,
    for a paper; one Picture for each, also for those that cannot be drawn.

    `bench`: measured speeds, dicts with arch, what and images_per_second; may be empty. Raises OSError if the folder
    cannot be written.
    """
    pictures, drawings = [], [*_drawings(runs, bench)]
    with style.styled():
        for name, title, section, drawing in tqdm(drawings, "pictures", leave=False, unit="picture", disable=None):
            figure, text = drawing()
            if figure is None:
                pictures.append(ReportPicture(name, title, "", None, section, missing=text))
            else:
                file = _save(figure, folder / name)
                pictures.append(ReportPicture(name, title, text, file, section))
    return pictures


def _save(figure: Figure, path: Path) -> Path:
    """Write `figure` under the name `path` with each ending; the file that pages show. Neither has a date."""
    of_pixels = any(axes.images for axes in figure.axes)
    file = path.with_name(f"{path.name}.{'png' if of_pixels else 'svg'}")
    figure.savefig(file, dpi=style.DPI, metadata=None if of_pixels else {"Date": None}, transparent=not of_pixels)
    figure.set_layout_engine("none")  # it is laid out: not a second time
    figure.savefig(path.with_name(f"{path.name}.pdf"), dpi=style.DPI, metadata={"CreationDate": None})
    return file


def _drawings(runs: Sequence[Run], bench: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str, Drawing]]:
    """Name, title, section and drawing of every picture, in the order of the report."""
    together = (
        ("error-against-cost", "Error against cost", FIRST, against_cost.error_against_cost),
        ("errors-by-epoch", "Validation error by epoch", FIRST, curves.errors_by_epoch),
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
    families = {facts(run.config.arch.name)["family"] for run in runs}
    for name, title, section, drawing in together:
        if name not in OF_FAMILIES or OF_FAMILIES[name] & families:
            yield name, title, section, partial(drawing, runs)
    if OF_FAMILIES["densenet-and-resnet"] & families:
        yield "densenet-and-resnet", "DenseNet against ResNet", COMPARISONS, ladders.densenet_and_resnet
    for run, file in zip(runs, file_names(runs), strict=True):
        yield f"filters-{file}", "First-layer filters", run.name, partial(first_filters.first_filters, run)
        yield f"confusion-{file}", "Confusion of classes", run.name, partial(confusion_plot, run)


def file_names(runs: Sequence[Run]) -> list[str]:
    """For the file of a picture of each run: they are numbered, since names may differ in what no file name has."""
    labels = enumerate(style.labels(runs), 1)
    return [f"{number}-{re.sub(r'[^A-Za-z0-9._-]+', '-', label)}" for number, label in labels]
