"""The reliability diagram. Importing this imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnbench.analysis.report import style
from cnnbench.evaluation.calibration import Bin, expected_calibration_error
from cnnbench.runtime.files import replacing, writing

HEIGHT = 3.4  # inches


def save_diagram(before: Sequence[Bin], after: Sequence[Bin], temperature: float, path: Path) -> None:
    """Draw how often answers of each probability are right, as they are and at `temperature`; a form by the ending of
    `path`. Raises UserError if it cannot be written."""
    with style.styled():
        figure = style.new_figure(HEIGHT)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, bins, name in zip(
            panels, (before, after), ("as it is", f"temperature {temperature:.3g}"), strict=True
        ):
            width = min(each.high - each.low for each in bins)
            axes.bar(
                [each.low for each in bins], [each.accuracy for each in bins], width, align="edge", color="#0072B2"
            )
            axes.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", linewidth=1)
            axes.plot([each.confidence for each in bins], [each.accuracy for each in bins], "o", color="#D55E00")
            error = expected_calibration_error(list(bins))
            axes.set(xlabel="probability of the answer", xlim=(0, 1), ylim=(0, 1), title=f"{name}: ECE {error:.2f} %")
        panels[0].set_ylabel("share that is right")
        with writing(path), replacing(path) as scratch:
            figure.savefig(scratch, dpi=style.DPI, format=path.suffix[1:])
