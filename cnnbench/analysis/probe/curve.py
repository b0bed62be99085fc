"""The error of a linear classifier by the layer that it reads. Importing this imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnbench.analysis.probe.table import Probed
from cnnbench.analysis.report import style
from cnnbench.runtime.files import replacing, writing

HEIGHT = 3.6  # inches


def save_curve(found: Sequence[Probed], title: str, path: Path) -> None:
    """Draw the top-1 error of each layer, with its 95 % interval, in the order of the forward pass, as PNG or SVG by
    the ending of `path`. Raises UserError if it cannot be written."""
    with style.styled():
        figure = style.new_figure(HEIGHT)
        axes = figure.subplots()
        errors, places = [each.top1_error for each in found], range(len(found))
        below = [each.top1_error - each.low for each in found]
        above = [each.high - each.top1_error for each in found]
        axes.errorbar(places, errors, yerr=[below, above], capsize=3, **style.line_style(0))
        axes.set_xticks(places, [each.layer for each in found], rotation=60, ha="right", rotation_mode="anchor")
        axes.set(xlabel="layer, in the order of the forward pass", ylabel="top-1 error (%)", title=title)
        axes.title.set_wrap(True)
        axes.set_ylim(bottom=0)
        with writing(path), replacing(path) as scratch:
            figure.savefig(scratch, dpi=style.DPI, format=path.suffix[1:])
