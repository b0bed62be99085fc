"""Published errors beside those that runs reached, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cnnbench.analysis.papers.published import PUBLISHED_SPLITS, Published, published_for
from cnnbench.analysis.report import style
from cnnbench.analysis.report.results import CountedResult, main_result
from cnnbench.analysis.report.run import Run

MEASURED, PAPER = style.COLOURS[0], style.COLOURS[1]
TARGET: dict[str, Any] = dict(marker="|", markersize=18, markeredgewidth=2.5, linestyle="none", zorder=2)


def published_beside_measured(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Top-1 and top-5 errors, a row per run: the figure and its caption, or None and why there is none."""
    named = list(zip(style.labels(runs), [main_result(run) for run in runs], strict=True))
    rows = [(name, result, *_stated(result)) for name, result in named if result]
    if not rows:
        return None, "no run has ended or been evaluated"
    figure = style.new_figure(1.1 + 0.45 * len(rows))
    panels = figure.subplots(1, 2, sharey=True)
    for ax, top in zip(panels, (1, 5), strict=True):
        for y, (_, result, stated, other) in enumerate(rows):
            error, face = result.error(top).measured, "white" if other else MEASURED
            ax.errorbar(
                *(error, y),
                xerr=spread(result, top),
                fmt="o",
                color=MEASURED,
                markerfacecolor=face,
                capsize=3,
                zorder=3,
            )
            if other:
                ax.annotate(
                    *("other data", (error, y), (0, -6)),
                    **dict(textcoords="offset points", ha="center", va="top", fontsize=9, color=style.GREY),
                )
            expected = stated and (stated.top1 if top == 1 else stated.top5)
            if expected is not None:
                ax.plot(expected, y, color=PAPER, **TARGET)
        ax.set(xlabel=f"top-{top} error (%)", ylim=(len(rows) - 0.4, -0.6))
        ax.margins(x=0.12)
        ax.set_xlim(left=0)
        ax.grid(axis="x", visible=False)
    ticks = [f"{name}\n{result.run.config.arch.name}, {result.protocol}" for name, result, *_ in rows]
    panels[0].set_yticks(range(len(rows)), ticks, multialignment="right")
    _legend(figure, any(other for *_, other in rows), any(stated for _, _, stated, _ in rows))
    nothing = [result.run.config.arch.name for _, result, stated, _ in rows if stated is None]
    without = [name for name, result in named if result is None]
    return figure, _caption(any(other for *_, other in rows), nothing, without)


def spread(result: CountedResult, top: int) -> list[list[float]]:
    """How far the 95 % interval reaches below and above the error, as matplotlib's error bars want it."""
    error = result.error(top)
    return [[max(0.0, error.measured - error.low)], [max(0.0, error.high - error.measured)]]


def _stated(result: CountedResult) -> tuple[Published | None, bool]:
    """What is published for the run's network, recipe and protocol, and whether on other data than the run's."""
    if result.published:
        return result.published, False
    config = result.run.config
    found = (published_for(config, result.protocol, split) for split in PUBLISHED_SPLITS)
    stated = next((published for published in found if published), None)
    return stated, stated is not None


def _legend(figure: Figure, other: bool, published: bool) -> None:
    handles = {
        "measured, 95 % interval": Line2D([], [], marker="o", color=MEASURED),
        "measured on other data": Line2D([], [], marker="o", color=MEASURED, markerfacecolor="white"),
        "published": Line2D([], [], color=PAPER, **TARGET),
    }
    if not other:
        del handles["measured on other data"]
    if not published:
        del handles["published"]
    figure.set_figheight(figure.get_figheight() + 0.2)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))


def _caption(other: bool, nothing: Sequence[str], without: Sequence[str]) -> str:
    caption = (
        "Wilson intervals of 95 %: how far the number of images leaves the error open, not how far runs differ. "
        "Published: for the run's network, recipe and protocol."
    )
    if other:
        caption += " Hollow: counted on other data than the published error; the two cannot be compared."
    if nothing:
        caption += f" Nothing is published by that protocol of {', '.join(dict.fromkeys(nothing))}."
    return caption + (f" Without result: {', '.join(without)}." if without else "")
