"""Figures of every layer: dead units and sparsity, and the gradient's norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from matplotlib.axes import Axes

from cnnbench.analysis.look.draw.drawn import LINE, SECOND, Drawn, scale
from cnnbench.analysis.look.gradients import gradient_norms
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.look.units import NEAR_ZERO, SATURATED, layers_in_a_row
from cnnbench.analysis.report import style
from cnnbench.analysis.tables import Table

NAMED, LONGEST = 26, 18  # most names on the axis, and letters of one
CROWD = 40  # layers from which on markers are small


def units(subject: Subject) -> Iterator[Drawn]:
    """Dead units and sparsity of each layer over the split."""
    split = subject.images
    found = subject.survey.activity
    dead = [100 * each.dead / each.units for each in found]
    zero, near = [100 * each.zero for each in found], [100 * each.near_zero for each in found]
    total, units_dead = sum(each.units for each in found), sum(each.dead for each in found)
    figure = style.new_figure(4.6 if units_dead else 2.8)
    *upper, lower = figure.subplots(2 if units_dead else 1, 1, sharex=True, squeeze=False)[:, 0]
    for axes in upper:
        axes.bar(range(len(found)), dead, color=LINE, width=0.7)
        axes.set(ylabel="dead units (%)", ylim=(0, max(5, 1.15 * max(dead))))
        for place, each in enumerate(found):
            if len(found) <= NAMED:
                axes.text(place, dead[place], f"{each.dead}", ha="center", va="bottom", fontsize=9)
    rectified = any(zero)
    lower.plot(
        zero if rectified else [100 * each.saturated for each in found],
        color=LINE,
        marker="o",
        label="exactly zero" if rectified else f"above {100 * SATURATED:.0f} % of the layer's largest",
    )
    near_label = f"below {100 * NEAR_ZERO:.0f} % of the layer's largest"
    lower.plot(near, color=SECOND, marker="s", linestyle="--", label=near_label)
    lower.set(ylabel="activations (%)", ylim=(0, 100))
    _name(lower, [each.layer for each in found])
    style.legend_below(figure, lower)
    what = "zero, and near zero." if rectified else "saturated, and near zero: no layer ends in ReLU, and none is zero."
    same = "units (channels of a map) that give the same value at every place of every image"
    above = f"Above: {same}, {units_dead} of {total:,} in all; their number stands on the bar. Below:"
    none = f"There are no {same}: of {total:,} none is dead. Drawn:"
    caption = (
        f"Over {len(split.numbers)} images of the split, layers in the order of the forward pass, after their "
        f"activation. {above if units_dead else none} how many of all activations are {what}"
    )
    rows = [(x.layer, x.units, x.dead, 100 * x.zero, 100 * x.near_zero, 100 * x.saturated) for x in found]
    columns = {"layer": "", "units": "", "dead": "", "zero %": "", "near zero %": "", "near the largest %": ""}
    yield Drawn("units", "Dead units and sparsity", figure, caption, Table("units", columns, rows))


def gradients(subject: Subject) -> Iterator[Drawn]:
    """The norm of the loss's gradient in each layer, for one batch of the split."""
    split = subject.images
    some = split.first(min(subject.config.batch, len(split.numbers)))
    batches = list(split.batches(some, "gradients"))
    images, labels = torch.cat([batch[1] for batch in batches]), torch.cat([batch[2] for batch in batches])
    found = gradient_norms(subject.network.model, images, labels)
    figure = style.new_figure(4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot([each.gradient for each in found], color=LINE, marker="o")
    upper.set(ylabel="gradient's norm")
    lower.plot([each.gradient / max(each.weights, 1e-30) for each in found], color=SECOND, marker="s", linestyle="--")
    lower.set(ylabel="gradient's norm /\nweights' norm")
    for axes in (upper, lower):
        scale(axes)
    row = list(layers_in_a_row(subject.network))
    names = row if len(row) == len(found) else [each.layer for each in found]
    _name(lower, names)
    caption = (
        f"Of the mean cross-entropy of {len(images)} images of the split, layers with weights in their "
        "order. Above the Euclidean norm of the gradient of all weights of the layer, below divided by that of "
        "the weights themselves: how far a step would turn them. Batch normalisation takes the batch's statistics, as "
        "in training; nothing is dropped."
    )
    rows = [(name, each.layer, each.gradient, each.weights) for name, each in zip(names, found, strict=True)]
    columns = {"layer": "", "weights": "", "gradient's norm": "", "weights' norm": ""}
    yield Drawn("gradients", "Gradient of each layer", figure, caption, Table("gradients", columns, rows))


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Names below the axis: of all layers where there is room for them, else of the blocks, where each begins."""
    paths = [name.removeprefix("features.").split(".") for name in names]
    for depth in (max(map(len, paths)), 2, 1):
        short = [".".join(path[:depth]) for path in paths]
        begins = [place for place, name in enumerate(short) if place == 0 or short[place - 1] != name]
        if len(begins) <= NAMED and max(map(len, short)) <= LONGEST:
            break
    whole = len(begins) == len(names)
    begins = begins if whole else _apart(begins, len(names))
    axes.set_xticks(begins, [short[place] for place in begins], rotation=60, ha="right", rotation_mode="anchor")
    axes.set(xlabel="layer" if whole else "layer (named where a block begins)", xlim=(-0.6, len(names) - 0.4))
    for line in (line for each in axes.figure.axes for line in each.get_lines()):
        line.set_markersize(5 if len(names) <= CROWD else 2.5)


def _apart(begins: list[int], layers: int) -> list[int]:
    """Of blocks that begin too near to each other for two names, the longest alone."""
    ends = [*begins[1:], layers]
    kept: list[int] = []
    for begin, _ in sorted(zip(begins, ends, strict=True), key=lambda block: block[0] - block[1]):
        if all(abs(begin - other) >= layers / NAMED for other in kept):
            kept.append(begin)
    return sorted(kept)
