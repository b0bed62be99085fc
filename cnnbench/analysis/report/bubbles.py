"""Error against size, cost and speed: the classical bubble charts of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from cnnbench.analysis.report import style
from cnnbench.analysis.report.labels import place_names
from cnnbench.analysis.report.results import main_result
from cnnbench.analysis.report.run import Run
from cnnbench.archs.facts import all_facts
from cnnbench.config.protocols import SINGLE_CROP

ILSVRC = ("val", "val_non_blacklisted")
FAMILY_MARKERS = {
    "alexnet": ("#000000", "X"),
    "nin": ("#D55E00", "<"),
    "vgg": ("#E69F00", "v"),
    "googlenet": ("#56B4E9", "^"),
    "inception": ("#009E73", "D"),
    "xception": ("#CC79A7", "P"),
    "resnet": ("#0072B2", "o"),
    "wide_resnet": ("#56B4E9", "h"),
    "resnext": ("#CC79A7", "p"),
    "densenet": ("#D55E00", "s"),
}
AREA = 3.5  # square points per million parameters
LEGEND_SIZES = (10, 50, 100)  # million parameters, in the legend
CROWD = 12  # from more networks on their names need a tall picture
ROOM = 1.4  # factor on the end of the horizontal axis: for names at the right of the last markers
PLAIN_AREA = 40.0  # square points of a marker whose area says nothing


@dataclass(frozen=True)
class Bubble:
    """A network with its published single-crop top-1 error on ILSVRC (percent); `detail`: what it is bound to."""

    key: str
    family: str
    params: int
    macs: int
    error: float
    split: str
    detail: str | None


def published_bubbles() -> list[Bubble]:
    """The networks with a published top-1 error by a single crop, each with the first that is its own."""
    return [network for entry in all_facts() if (network := _network(entry))]


def error_by_params(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Error against parameters: the figure and its caption."""
    places = {network.key: network.params / 1e6 for network in published_bubbles()}
    return _chart(runs, places, "parameters (millions)", sized=False)


def error_by_macs(runs: Sequence[Run]) -> tuple[Figure | None, str]:
    """Error against multiply-adds of one image, areas by parameters: the figure and its caption."""
    places = {network.key: network.macs / 1e9 for network in published_bubbles()}
    return _chart(runs, places, "multiply-adds of one image (10⁹)", sized=True)


def error_by_speed(runs: Sequence[Run], bench: Sequence[dict[str, Any]]) -> tuple[Figure | None, str]:
    """Error against measured throughput, areas by parameters: the figure and its caption, or None and why."""
    speeds: dict[str, dict[str, float]] = {}
    for row in bench:
        if style.finite(row.get("images_per_second")) and row["images_per_second"] > 0:
            speeds.setdefault(str(row.get("what")), {})[str(row.get("arch"))] = row["images_per_second"]
    known = {network.key for network in published_bubbles()}
    what = max(speeds, key=lambda what: len(known & speeds[what].keys()), default=None)
    if what is None or len(known & speeds[what].keys()) < 2:
        return None, "fewer than two networks with a published error have a measured speed: cnnbench bench measures it"
    return _chart(runs, speeds[what], f"measured throughput, {what} (images/s)", sized=True)


def _network(entry: dict[str, Any]) -> Bubble | None:
    for result in entry["results"]:
        single = result["protocol"] == "single crop" and result["split"] in ILSVRC and "of" not in result
        if single and result["top1_err"] is not None:
            size = entry["params"]["total"], entry["macs"]
            return Bubble(
                entry["key"], entry["family"], *size, result["top1_err"], result["split"], result.get("detail")
            )
    return None


def _chart(runs: Sequence[Run], places: dict[str, float], label: str, sized: bool) -> tuple[Figure, str]:
    """`places`: where each network stands on the horizontal axis."""
    shown = [network for network in published_bubbles() if network.key in places]
    areas = [AREA * network.params / 1e6 if sized else PLAIN_AREA for network in shown]
    measured = _measured(runs, {network.key for network in shown})
    figure = style.new_figure(8.0 if len(shown) > CROWD else 5.5)
    axes = figure.subplots()
    for family, (colour, marker) in FAMILY_MARKERS.items():
        own = [index for index, network in enumerate(shown) if network.family == family]
        if own:
            xs, ys = [places[shown[i].key] for i in own], [shown[i].error for i in own]
            axes.scatter(xs, ys, [areas[i] for i in own], label=family, marker=marker, alpha=0.45, facecolor=colour,
                         edgecolor=colour, linewidth=1.2)  # fmt: skip
    for network, area in zip(shown, areas, strict=True):
        colour, marker = FAMILY_MARKERS[network.family]
        for error in measured.get(network.key, []):
            x = places[network.key]
            axes.plot([x, x], [network.error, error], color=colour, linewidth=0.8, zorder=1)
            axes.scatter(x, error, area, marker=marker, facecolor=colour, edgecolor="black", linewidth=1, zorder=3)
    axes.set(xlabel=label, ylabel="top-1 error, single crop (%)", xscale="log", yscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * ROOM)
    _ticks(axes)
    _legend(figure, axes, sized)
    marked = [network.key + "*" * (network.split != "val") for network in shown]
    points = [(places[network.key], network.error) for network in shown]
    points += [(places[key], error) for key, errors in measured.items() for error in errors]
    area_of = dict(zip((network.key for network in shown), areas, strict=True))
    all_areas = areas + [area_of[key] for key, errors in measured.items() for _ in errors]
    place_names(axes, points, marked, [math.sqrt(area) / 2 for area in all_areas])
    return figure, _caption(shown, bool(measured), sized)


def _measured(runs: Sequence[Run], keys: set[str]) -> dict[str, list[float]]:
    """Top-1 errors of runs on ILSVRC by a single crop, by network."""
    found: dict[str, list[float]] = {}
    for run in runs:
        result, key = main_result(run), run.config.arch.name
        if (
            result
            and result.protocol in SINGLE_CROP
            and key in keys
            and result.published
            and result.published.split in ILSVRC
        ):
            found.setdefault(key, []).append(result.error(1).measured)
    return found


def _ticks(axes: Axes) -> None:
    """Plain numbers on logarithmic axes, at round values."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        steps = (1, 2, 5) if high > 4 * low else (1, 1.5, 2, 2.2, 2.5, 3, 3.5, 4, 5, 7)
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [tick for e in decades for s in steps if low <= (tick := round(s * 10.0**e, 9)) <= high]
        if len(ticks) < 2:  # a short axis: matplotlib's own
            continue
        axis.set_ticks(ticks)
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
        axis.set_ticks([], minor=True)


def _legend(figure: Figure, axes: Axes, sized: bool) -> None:
    handles, names = axes.get_legend_handles_labels()
    if sized:
        for millions in LEGEND_SIZES:
            handles.append(axes.scatter([], [], AREA * millions, facecolor="none", edgecolor=style.GREY))
            names.append(f"{millions} million parameters")
    legend = figure.legend(handles, names, loc="outside lower center", ncols=4, columnspacing=2, labelspacing=1.1)
    if not sized:
        return
    for handle in legend.legend_handles[: -len(LEGEND_SIZES)]:
        if isinstance(handle, PathCollection):
            handle.set_sizes([PLAIN_AREA])


def _caption(shown: Sequence[Bubble], measured: bool, sized: bool) -> str:
    details = "; ".join(f"{network.key}: {network.detail}" for network in shown if network.detail)
    caption = (
        "Light: published top-1 errors of one network by a single crop on the ILSVRC-2012 validation images; "
        "networks without such an error are left out. "
    )
    caption += "Filled in: measured by runs here, joined to the published error. " if measured else ""
    caption += "The area of a marker stands for the parameters. " if sized else ""
    if any(network.split != "val" for network in shown):
        caption += "*: on the 48,238 images that are not blacklisted, where errors are 0.2 to 0.3 lower. "
    return caption + "Both axes are logarithmic." + (f" Bound to: {details}." if details else "")
