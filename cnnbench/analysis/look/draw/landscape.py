"""The loss around the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from cnnbench.analysis.describe.network import describe
from cnnbench.analysis.look.draw.drawn import HEAT, LINE, SECOND, Drawn, logarithmic
from cnnbench.analysis.look.landscape import loss_surface, random_direction
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style
from cnnbench.analysis.tables import Table

MOST, FEWEST = 128, 4  # images, where the config does not say
BUDGET = 8e12  # multiply-adds for the whole picture: minutes on two cores
POINTS, FEW_POINTS = 21, 9  # along each direction
STEEP = 20  # from this ratio of the largest to the smallest loss on the scale is logarithmic


def landscape(subject: Subject) -> Iterator[Drawn]:
    """The loss along two random directions, and along each of them alone."""
    split, config = subject.images, subject.config
    images, points = _affordable(subject)
    some = split.first(images)
    batches = [(images, labels) for _, images, labels, _ in split.batches(some, "landscape")]
    directions = (
        random_direction(subject.network.model, config.seed),
        random_direction(subject.network.model, config.seed + 1),
    )
    losses = loss_surface(subject.network.model, batches, directions, config.reach, points)
    steps = np.linspace(-config.reach, config.reach, points)
    figure = style.new_figure(3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _contours(figure, left, steps, losses)
    _slices(right, steps, losses)
    yield Drawn(
        "landscape", "Loss around the weights", figure, _caption(subject, losses, len(some)), _table(steps, losses)
    )


def _affordable(subject: Subject) -> tuple[int, int]:
    """How many images, and places along each direction: as configured, else by the network's multiply-adds."""
    config = subject.config
    macs = describe(subject.network.model, subject.side, subject.image.shape[1]).totals.macs
    points = config.points or (POINTS if macs * MOST * POINTS**2 <= BUDGET else FEW_POINTS)
    return config.landscape_images or int(np.clip(BUDGET / (macs * points**2), FEWEST, MOST)), points


def _steep(losses: np.ndarray) -> bool:
    low, high = np.nanmin(losses), np.nanmax(losses)
    return bool(low > 0 and high > STEEP * low)


def _contours(figure: Figure, axes: Axes, steps: np.ndarray, losses: np.ndarray) -> None:
    shown = np.where(np.isfinite(losses), losses, np.nan)
    low, high = np.nanmin(shown), np.nanmax(shown)
    steep = _steep(shown)
    levels = np.geomspace(low, high, 11) if steep else np.linspace(low, high, 11) if high > low else None
    norm = LogNorm(low, high) if steep else Normalize(low, high)
    image = axes.pcolormesh(steps, steps, shown, cmap=HEAT, norm=norm, shading="gouraud")
    if levels is not None:
        axes.contour(steps, steps, shown, levels=levels[1:-1], colors="white", linewidths=0.9)
    axes.plot(0, 0, marker="+", color="black", markersize=11, markeredgewidth=2.4)
    axes.plot(0, 0, marker="+", color="white", markersize=9, markeredgewidth=1.2)
    axes.grid(visible=False)
    axes.set(xlabel="step along direction 1", ylabel="step along direction 2", aspect="equal")
    bar = figure.colorbar(image, ax=axes, label="loss (cross-entropy, nats)")
    if steep:
        logarithmic(bar.ax.yaxis)


def _slices(axes: Axes, steps: np.ndarray, losses: np.ndarray) -> None:
    middle = int(np.abs(steps).argmin())
    axes.plot(steps, losses[middle], color=LINE, marker="o", label="along direction 1")
    axes.plot(steps, losses[:, middle], color=SECOND, marker="s", linestyle="--", label="along direction 2")
    if _steep(losses):
        axes.set_yscale("log")
        logarithmic(axes.yaxis)
    axes.set(xlabel="step (lengths of the filters)", ylabel="loss (nats)")
    axes.legend()


def _caption(subject: Subject, losses: np.ndarray, images: int) -> str:
    few = " So few images show the shape, not the figures: landscape_images= takes more." if images < 32 else ""
    lost = int((~np.isfinite(losses)).sum())
    gone = f" At {lost} places it is too large to be a number, and nothing is drawn." if lost else ""
    return (
        f"The mean cross-entropy of {images} images of the split where the weights are moved by two random steps "
        f"(seeds {subject.config.seed} and {subject.config.seed + 1}); at 1 the step of each filter is as long as the "
        "filter (Li et al. 2018, filter normalisation), biases and batch normalisation stay. The cross is the trained "
        f"network, with a loss of {losses[len(losses) // 2, len(losses) // 2]:.3g}; lines are at even distances of the "
        f"colour scale.{few}{gone}"
    )


def _table(steps: np.ndarray, losses: np.ndarray) -> Table:
    rows = [(float(b), float(a), float(losses[i, j])) for i, b in enumerate(steps) for j, a in enumerate(steps)]
    return Table("landscape", {"direction 2": "", "direction 1": "", "loss": ""}, rows)
