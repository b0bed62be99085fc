"""Which classes a network takes for which."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from cnnbench.analysis.report import style
from cnnbench.analysis.report.run import Run

MOST_CLASSES = 30  # most classes whose names fit
COUNTED = 12  # most classes whose counts fit into the cells
TICKS = (0, 1, 5, 10, 25, 50, 100)


def confusion_plot(run: Run) -> tuple[Figure | None, str]:
    """The confusion matrix: the figure and its caption, or None and why there is none."""
    counts = np.array(run.confusion, dtype=float)
    if not counts.any():
        return None, f"no confusion matrix: run {run.details_command}"
    images = counts.sum(1, keepdims=True)
    shares = 100 * counts / np.maximum(1, images)
    classes = len(shares)
    side = max(6.2, 2 + classes / style.DPI)  # at least a pixel per class
    figure = style.new_figure(side * 0.85, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="cividis", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    bar = figure.colorbar(image, label="share of the true class's images (%)", ticks=TICKS, shrink=0.9)
    bar.minorticks_off()
    axes.grid(visible=False)
    axes.set(xlabel="class that the network names", ylabel="true class")
    if classes <= MOST_CLASSES:
        axes.set_xticks(range(classes), run.classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(classes), run.classes)
    if classes <= COUNTED:
        for (row, column), share in np.ndenumerate(shares):
            text, colour = f"{counts[row, column]:.0f}", "black" if share > 30 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    empty = int((images == 0).sum())
    return figure, (
        "Each row is a true class and sums to 100 %"
        + (f" ({empty} without images)" if empty else "")
        + ("; numbers are counts of images" if classes <= COUNTED else "")
        + ". Colours follow the square root of the share, so that rare confusions can be seen; the diagonal is right."
        + (f" {classes} classes, in the order of their numbers." if classes > MOST_CLASSES else "")
    )
