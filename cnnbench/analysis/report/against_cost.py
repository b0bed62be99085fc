"""Error against what it cost: the picture that people look for first."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnbench.analysis.report import style
from cnnbench.analysis.report.headline import Ranked, rank_groups
from cnnbench.analysis.report.run import Run
from cnnbench.archs.facts import facts

HEIGHT = 3.4  # inches


def error_against_cost(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Top-1 error of each run against its time of training and the multiply-adds of its network, a colour for each
    group of seeds: the figure and its caption, or None and why there is none."""
    ranked, _ = rank_groups(runs)
    costs = {
        "time of training": {run.name: _seconds(run) for one in ranked for run in one.runs},
        "multiply-adds of the network (10⁹)": {run.name: _multiply_adds(run) for one in ranked for run in one.runs},
    }
    known = {what: values for what, values in costs.items() if len({*values.values()} - {None}) > 1}
    if not known:
        return None, "no two runs with another time or cost have an error"
    figure = style.new_figure(HEIGHT)
    panels = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for axes, (what, values) in zip(panels, known.items(), strict=True):
        scale, unit = 1.0, ""
        if what.startswith("time"):
            scale, unit = style.time_unit(max(value for value in values.values() if value is not None))
        for index, one in enumerate(ranked):
            _points(axes, one, values, scale, index)
        axes.set(xlabel=f"{what} ({unit})" if unit else what)
        axes.margins(x=0.1, y=0.12)
        axes.set_xlim(left=0)
    panels[0].set_ylabel("top-1 error (%)")
    style.legend_below(figure, panels[0])
    return figure, (
        "Down and to the left is better. A point is a run; runs that differ in their seed alone have one colour. Time: "
        "training, without evaluation and start-up. Multiply-adds: of the paper's network for one image at its size."
    )


def _points(axes: Axes, one: Ranked, values: dict[str, float | None], scale: float, index: int) -> None:
    pairs = [
        (value / scale, result.error(1).measured)
        for run, result in zip(one.runs, one.results, strict=True)
        if (value := values[run.name]) is not None
    ]
    if pairs:
        looks = style.line_style(index) | {"linestyle": "none", "markersize": 7, "alpha": 0.8}
        axes.plot(*zip(*pairs, strict=True), label=style.visible(one.group.name), **looks)


def _seconds(run: Run) -> float | None:
    return run.result.get("training_seconds") if run.result is not None else None


def _multiply_adds(run: Run) -> float | None:
    macs = facts(run.config.arch.name)["macs"]
    return None if macs is None else macs / 1e9
