"""Published errors beside those that runs reached, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cnnbench.analysis.published import SPLITS, Published, published_for, split_of
from cnnbench.analysis.report import style
from cnnbench.analysis.report.run import Run
from cnnbench.evaluation.interval import wilson_interval

MEASURED, PAPER = style.COLOURS[0], style.COLOURS[1]
TARGET = dict(marker="|", markersize=18, markeredgewidth=2.5, linestyle="none", zorder=2)


@dataclass(frozen=True)
class Row:
    """A run's error by one protocol; `split`: the published images that it was counted on, None: other images."""

    run: Run
    result: dict[str, Any]
    split: str | None
    published: Published | None

    def measured(self, k: int) -> tuple[float, float, float]:
        """Top-k error and the bounds of its 95 % interval, percent."""
        wrong, n = self.result[f"wrong_top{k}"], self.result["n"]
        return 100 * wrong / n, *wilson_interval(wrong, n)


def published_beside_measured(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Top-1 and top-5 errors, a row per run: the figure and its caption, or None and why there is none."""
    names = dict(zip((run.name for run in runs), style.labels(runs), strict=True))
    rows = [row for run in runs if (row := row_of(run))]
    if not rows:
        return None, "no run has ended or been evaluated"
    figure = style.new_figure(1.1 + 0.45 * len(rows))
    panels = figure.subplots(1, 2, sharey=True)
    for ax, k in zip(panels, (1, 5), strict=True):
        for y, row in enumerate(rows):
            error, low, high = row.measured(k)
            face = MEASURED if row.split else "white"
            spread = [[max(0, error - low)], [max(0, high - error)]]
            ax.errorbar(error, y, xerr=spread, fmt="o", color=MEASURED, markerfacecolor=face, capsize=3, zorder=3)
            if row.split is None:
                ax.annotate("other data", (error, y), (0, -6), textcoords="offset points", ha="center", va="top",
                            fontsize=9, color=style.GREY)  # fmt: skip
            stated = row.published and (row.published.top1 if k == 1 else row.published.top5)
            if stated is not None:
                ax.plot(stated, y, color=PAPER, **TARGET)
        ax.set(xlabel=f"top-{k} error (%)", ylim=(len(rows) - 0.4, -0.6))
        ax.set_xlim(left=0)
        ax.margins(x=0.12)
        ax.grid(axis="x", visible=False)
    ticks = [f"{names[row.run.name]}\n{row.result['arch']}, {row.result['protocol']}" for row in rows]
    panels[0].set_yticks(range(len(rows)), ticks, multialignment="right")
    _legend(figure, any(row.split is None for row in rows))
    return figure, _caption(rows, [names[run.name] for run in runs if run not in [row.run for row in rows]])


def row_of(run: Run) -> Row | None:
    """The result of `run` that says most: by the protocol and on the images of something published, else by one
    centre crop; None if there is none."""
    rows = [
        _row(run, result) for result in [*([run.result] if run.result else []), *run.evaluations] if _counted(result)
    ]
    return min(rows, key=_rank, default=None)


def _rank(row: Row) -> tuple[bool, bool, bool]:
    return row.split is None, row.published is None, row.result["protocol"] != "center"


def _counted(result: dict[str, Any]) -> bool:
    return (
        isinstance(result.get("arch"), str)
        and (result.get("n") or 0) > 0
        and {"wrong_top1", "wrong_top5"} <= set(result)
    )


def _row(run: Run, result: dict[str, Any]) -> Row:
    known = {key: run.result[key] for key in ("classes", "training_images") if run.result and key in run.result}
    split = split_of(run.config, known | result) if not result.get("labels") else None
    stated = [published_for(run.config, result["protocol"], name) for name in ([split] if split else SPLITS)]
    return Row(run, result, split, next((entry for entry in stated if entry), None))


def _legend(figure: Figure, other: bool) -> None:
    handles = {
        "measured, 95 % interval": Line2D([], [], marker="o", color=MEASURED),
        "measured on other data": Line2D([], [], marker="o", color=MEASURED, markerfacecolor="white"),
        "published": Line2D([], [], color=PAPER, **TARGET),
    }
    if not other:
        del handles["measured on other data"]
    figure.set_figheight(figure.get_figheight() + 0.2)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))


def _caption(rows: Sequence[Row], without: Sequence[str]) -> str:
    caption = (
        "Wilson intervals of 95 %: how far the number of images leaves the error open, not how far runs differ. "
        "Published: for the run's network, recipe and protocol, on the images that it names."
    )
    if any(row.split is None for row in rows):
        caption += " Hollow: counted on other data than the published error; the two cannot be compared."
    if nothing := [row.result["arch"] for row in rows if row.published is None]:
        caption += f" Nothing comparable is published of {', '.join(dict.fromkeys(nothing))}."
    return caption + (f" Without result: {', '.join(without)}." if without else "")
