"""Curves of several runs in one picture: errors, losses and the learning rate, from their metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnbench.analysis.report import style
from cnnbench.analysis.report.run import Run

EPOCH, SECONDS = "epoch", "elapsed_seconds"
ERROR_PANELS = (
    ("train_top1_error", "training top-1 error (%)"),
    ("top1_error", "validation top-1 error (%)"),
    ("top5_error", "validation top-5 error (%)"),
)
LOSS_PANELS = (("train_loss", "training loss (nats)"), ("val_loss", "validation loss (nats)"))
RATE_PANELS = (("rate", "learning rate"),)
MARKS = 12  # most markers along a line
SPREAD = 30  # from this ratio of the largest to the smallest loss on, the axis is logarithmic


def errors_by_epoch(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Validation errors against epoch: the figure and its caption, or None and why there is none."""
    return _curves(runs, EPOCH, ERROR_PANELS, _ABOUT_ERRORS)


def errors_by_time(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Validation errors against the time spent until then: training, evaluation and saving."""
    return _curves(runs, SECONDS, ERROR_PANELS, f"{_ABOUT_ERRORS} Time: {_ABOUT_TIME}")


def losses_by_epoch(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Training and validation loss against epoch."""
    return _curves(runs, EPOCH, LOSS_PANELS, _ABOUT_LOSSES)


def losses_by_time(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Training and validation loss against the time spent until then."""
    return _curves(runs, SECONDS, LOSS_PANELS, f"{_ABOUT_LOSSES} Time: {_ABOUT_TIME}")


def rates(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """The learning rate against epoch."""
    return _curves(runs, EPOCH, RATE_PANELS, "Learning rate of the last step of each epoch.")


def points(run: Run, horizontal: str, key: str) -> list[tuple[float, float]]:
    """(horizontal, key) of every epoch that has both as finite numbers."""
    pairs = [(line.get(horizontal), line.get(key)) for line in run.metrics]
    return [(x, y) for x, y in pairs if style.finite(x) and style.finite(y)]


_ABOUT_ERRORS = (
    "Training: error on the training images as they are augmented, counted while the weights change; of mixed images "
    "the class with the larger share. Validation: after the epoch, one centre crop."
)
_ABOUT_LOSSES = (
    "Training: mean loss over the steps of an epoch, while the weights change, on augmented images and with label "
    "smoothing or mixed images where the recipe has them. Validation: cross-entropy after the epoch, one centre crop."
)
_ABOUT_TIME = "seconds of training, evaluation and saving up to there, without start-up."


def _curves(
    runs: Sequence[Run], horizontal: str, panels: Sequence[tuple[str, str]], about: str
) -> tuple[Figure | None, str]:
    drawn = [run for run in runs if any(len(points(run, horizontal, key)) > 1 for key, _ in panels)]
    what = " or ".join(key for key, _ in panels)
    if not drawn:
        return None, f"no run has two epochs with {what} and {horizontal} in its metrics.jsonl"
    figure = style.new_figure(3.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    scale, unit = 1.0, ""
    if horizontal == SECONDS:
        scale, unit = style.time_unit(
            max(x for run in drawn for key, _ in panels for x, _ in points(run, SECONDS, key))
        )
    for ax, (key, label) in zip(axes, panels, strict=True):
        for index, (run, name) in enumerate(zip(runs, style.labels(runs), strict=True)):
            if run in drawn:
                _line(ax, points(run, horizontal, key), scale, name, index)
                _averaged(ax, points(run, horizontal, f"averaged_{key}"), scale, index)
        ax.set(xlabel=f"time ({unit})" if unit else "epoch", ylabel=label)
        ax.set_xlim(left=0)
        if not unit:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _fit(axes, logarithmic=panels is LOSS_PANELS)
    style.legend_below(figure, axes[0])
    return figure, " ".join([about, *_notes(runs, drawn, horizontal, panels)])


def _line(ax: Axes, pairs: list[tuple[float, float]], scale: float, name: str, index: int) -> None:
    step = max(1, len(pairs) // MARKS)
    every = (index % step, step)  # shifted from run to run, so that equal curves show each other's markers
    xs, ys = [x / scale for x, _ in pairs], [y for _, y in pairs]
    ax.plot(xs, ys, label=name, markevery=every, clip_on=False, zorder=3, **style.line_style(index))


def _averaged(ax: Axes, pairs: list[tuple[float, float]], scale: float, index: int) -> None:
    colour = style.line_style(index)["color"]
    ax.plot([x / scale for x, _ in pairs], [y for _, y in pairs], color=colour, linewidth=0.8, linestyle=":")


def _fit(axes: Sequence[Axes], logarithmic: bool) -> None:
    """Axes from 0 where the values come near it; the first two panels, of training and validation, on one scale."""
    values = [[y for line in ax.get_lines() for y in np.asarray(line.get_ydata(), float).tolist()] for ax in axes]
    values = [[y for ys in values[:2] for y in ys]] * len(axes[:2]) + values[2:]
    for ax, ys in zip(axes, values, strict=True):
        low, high = min(ys, default=0), max(ys, default=1)
        if logarithmic and low > 0 and high > SPREAD * low:
            ax.set_yscale("log")
            ax.set_ylim(low / 1.2, high * 1.2)
        else:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1
            ax.set_ylim(0 if 0 <= low < high / 3 else low - margin, high + margin)


def _notes(runs: Sequence[Run], drawn: Sequence[Run], horizontal: str, panels: Sequence[tuple[str, str]]) -> list[str]:
    """Of what the curves leave out or add."""
    names = dict(zip((run.name for run in runs), style.labels(runs), strict=True))
    keys = [key for key, _ in panels]
    notes = []
    if any(points(run, horizontal, f"averaged_{key}") for run in drawn for key in keys):
        notes.append("Thin dotted: with the averaged weights.")
    if short := [names[run.name] for run in runs if run not in drawn]:
        notes.append(f"Without curve, for want of two epochs with these figures: {', '.join(short)}.")
    broken = [
        f"{names[run.name]} in epoch {line.get(EPOCH)}"
        for run in drawn
        for line in run.metrics
        if any(isinstance(value := line.get(key), float) and not style.finite(value) for key in keys)
    ]
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        notes.append(f"Not finite and left out: {', '.join(broken[:5])}{more}.")
    return notes
