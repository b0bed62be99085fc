"""The error of a linear classifier by the layer that it reads. Importing this imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnbench.analysis.probe.table import Group, interval_of
from cnnbench.analysis.report import style
from cnnbench.runtime.files import replacing, writing

HEIGHT = 3.6  # inches
ASIDE = 0.06  # between the lines of two groups, so that their intervals are told apart


def save_curve(groups: Sequence[Group], title: str, path: Path) -> None:
    """Draw the top-1 error of each layer, with its 95 % interval, in the order of the forward pass, a line for each
    group, as PNG or SVG by the ending of `path`. Raises UserError if it cannot be written."""
    names = [found[0].layer for group in groups for found in group.layers()]
    places = {layer: place for place, layer in enumerate(dict.fromkeys(names))}
    with style.styled():
        figure = style.new_figure(HEIGHT)
        axes = figure.subplots()
        for number, group in enumerate(groups):
            aside = ASIDE * (number - (len(groups) - 1) / 2)
            x = [places[found[0].layer] + aside for found in group.layers()]
            found = [interval_of(each) for each in group.layers()]
            errors = [mean for mean, _, _ in found]
            below, above = [mean - low for mean, low, _ in found], [high - mean for mean, _, high in found]
            look = style.line_style(number)
            axes.errorbar(x, errors, yerr=[below, above], capsize=3, label=style.visible(group.name), **look)
        axes.set_xticks(range(len(places)), list(places), rotation=60, ha="right", rotation_mode="anchor")
        axes.set(xlabel="layer, in the order of the forward pass", ylabel="top-1 error (%)", title=title)
        axes.title.set_wrap(True)
        axes.set_ylim(bottom=0)
        if len(groups) > 1:
            style.legend_below(figure, axes)
        with writing(path), replacing(path) as scratch:
            figure.savefig(scratch, dpi=style.DPI, format=path.suffix[1:])
