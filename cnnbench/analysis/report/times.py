"""Where the time of runs went."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnbench.analysis.report import style
from cnnbench.analysis.report.cost import seconds_of
from cnnbench.analysis.report.run import Run

# What a run does, colour and hatch: apart in grey, too.
TIME_PARTS = (
    ("computing", "#0072B2", ""),
    ("waiting for data", "#E69F00", "//"),
    ("evaluation", "#A6DCC9", ".."),
    ("saving", "#000000", ""),
)
SHORT = 60  # seconds of training, below which the tenths that result.json keeps are too coarse
INSIDE = 6  # percent of a bar that hold its number


def time_shares(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """One stacked bar per run: the figure and its caption, or None and why there is none."""
    spent = {name: seconds for run, name in zip(runs, style.labels(runs), strict=True) if (seconds := spent_in(run))}
    if not spent:
        return None, "no run says how long its epochs took"
    figure = style.new_figure(1.0 + 0.32 * len(spent))
    axes = figure.subplots()
    left = [0.0] * len(spent)
    totals = [sum(parts) for parts in spent.values()]
    for part, (name, colour, hatch) in enumerate(TIME_PARTS):
        shares = [100 * parts[part] / total for parts, total in zip(spent.values(), totals, strict=True)]
        bars = axes.barh(range(len(spent)), shares, 0.7, left, label=name, color=colour, hatch=hatch, edgecolor="white")
        dark = name in ("computing", "saving")
        texts = [f"{share:.0f} %" if share >= INSIDE else "" for share in shares]
        axes.bar_label(
            bars,
            texts,
            label_type="center",
            fontsize=9,
            color="white" if dark else "black",
            bbox=None if dark or not any(texts) else dict(facecolor=colour, edgecolor="none", pad=1),
        )
        left = [start + share for start, share in zip(left, shares, strict=True)]
    for row, total in enumerate(totals):
        axes.text(101, row, style.duration(total), va="center", fontsize=9)
    axes.set_yticks(range(len(spent)), list(spent))
    axes.set(xlim=(0, 100), xlabel="share of the time (%)")
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    style.legend_below(figure, axes, columns=len(TIME_PARTS))
    without = [name for name in style.labels(runs) if name not in spent]
    missing = f" Not known: {', '.join(without)}." if without else ""
    return figure, (
        "Time in the training loop, without start-up; its sum stands at the right of each bar. Saving: only while it "
        f"keeps the loop.{missing}"
    )


def spent_in(run: Run) -> tuple[float, float, float, float] | None:
    """Seconds of computing, waiting for data, evaluation and saving; None if the run does not say."""
    training, waiting, evaluation, saving = _by_result(run) or _by_epochs(run)
    total = training + evaluation + saving
    return (max(0.0, training - waiting), waiting, evaluation, saving) if total > 0 else None


def _by_result(run: Run) -> tuple[float, float, float, float] | None:
    """Seconds of training, of these waiting, of evaluation and of saving, as in result.json; None of a short run."""
    if run.result is None:
        return None
    training, waiting, evaluation, saving = seconds_of(run.result)
    if not (style.finite(training) and style.finite(waiting) and style.finite(evaluation) and style.finite(saving)):
        return None
    return (training, waiting, evaluation, saving) if training >= SHORT else None


def _by_epochs(run: Run) -> tuple[float, float, float, float]:
    """The same seconds, added up over the epochs that have them."""
    training = waiting = evaluation = 0.0
    elapsed = None
    for line in run.metrics:
        seconds, share = line.get("training_seconds"), line.get("data_wait")
        if style.finite(seconds) and style.finite(share):
            training, waiting = training + seconds, waiting + seconds * share
            evaluated, elapsed = line.get("evaluation_seconds"), line.get("elapsed_seconds")
            evaluation += evaluated if style.finite(evaluated) else 0.0
    saving = max(0.0, elapsed - training - evaluation) if style.finite(elapsed) else 0.0
    return training, waiting, evaluation, saving
