"""What a layer gives for the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from cnnbench.analysis.look.draw.drawn import HEAT, LINE, Drawn, beside_image, interpolation
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style

COLUMNS, ROWS = 6, 4


def activations(subject: Subject) -> Iterator[Drawn]:
    """The strongest maps of the layer, beside the image; of a layer without maps its units."""
    name, values = subject.layer_name, subject.values.float().cpu().numpy()
    figure, caption = _maps(subject, values) if values.ndim == 3 else _units(values)
    yield Drawn("activations", f"Activations of {name}", figure, caption.replace("LAYER", name))


def _maps(subject: Subject, values: np.ndarray) -> tuple[Figure, str]:
    chosen = subject.units[: COLUMNS * ROWS - 1]
    if subject.unit not in chosen:
        chosen = [subject.unit, *chosen[:-1]]
    figure, panels = beside_image(subject.pixels, len(chosen), COLUMNS, 1.42)
    for axes, number in zip(panels, chosen, strict=True):
        highest = values[number].max()
        axes.imshow(
            values[number],
            cmap=HEAT,
            vmin=min(0.0, values[number].min()),
            vmax=highest if highest > 0 else 1,
            interpolation=interpolation(values.shape[1]),
        )
        axes.set_title(f"{number}: {highest:.3g}", fontsize=9, pad=3)
    return figure, (
        f"{len(chosen)} of the {len(values)} maps of LAYER, {values.shape[1]} x {values.shape[2]}: those that answer "
        "most to the image. Above each its channel and its largest value; each runs from its own lowest value, at most "
        "zero (dark), to its largest (light)."
    )


def _units(values: np.ndarray) -> tuple[Figure, str]:
    figure = style.new_figure(3.0)
    axes = figure.subplots()
    axes.vlines(range(len(values)), 0, values, color=LINE, linewidth=max(0.5, min(4, 400 / len(values))))
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    axes.set(xlabel="unit", ylabel="activation", xlim=(-0.5, len(values) - 0.5))
    zero = (values == 0).mean()
    return figure, f"The {len(values)} units of LAYER for the image; {zero:.0%} of them are exactly zero."
