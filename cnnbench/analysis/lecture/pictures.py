"""Pictures of the lecture's claims. Importing this imports matplotlib, which is slow: do so when one is asked for.

Each function returns a figure and its caption.
"""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cnnbench.analysis.lecture import transfer
from cnnbench.analysis.lecture.activations import slopes
from cnnbench.analysis.lecture.convolutions import FIELD_NETWORKS, last_field
from cnnbench.analysis.lecture.depth import gradient_norms
from cnnbench.analysis.lecture.dropout import deep_example
from cnnbench.analysis.lecture.history import WINNERS
from cnnbench.analysis.lecture.normalisation import activation_growth
from cnnbench.analysis.report import ladders, style
from cnnbench.archs.layers import ACTIVATIONS

BLUE, VERMILLION, GREY = style.COLOURS[0], style.COLOURS[1], style.GREY


def winners_by_year() -> tuple[Figure, str]:
    """Bars of the top-5 errors, networks in another colour and hatching than what came before."""
    figure = style.new_figure(3.2)
    ax = figure.subplots()
    for year, team, _, error, _ in WINNERS:
        deep = year >= 2012
        ax.bar(year, error, color=BLUE if deep else GREY, hatch=None if deep else "//", edgecolor="white")
        _label(ax, f"{error:g}\n{team}", (year, error), (0, 3), ha="center", va="bottom")
    ax.axhline(5.1, color=VERMILLION, linestyle="--", linewidth=1, label="one trained person: 5.1")
    ax.legend(loc="upper right")
    ax.set(xlabel="year", ylabel="top-5 error of the winner (%)", ylim=(0, 33))
    ax.grid(axis="x", visible=False)
    return figure, (
        "Winning entries of ILSVRC classification, on the test images, mostly of several networks together. Hatched: "
        "without a convolutional network. Dashed: the error of one trained annotator (Russakovsky et al. 2015, section "
        "6.4)."
    )


def activations() -> tuple[Figure, str]:
    """The four activations that networks have a switch for, and their derivatives."""
    x = torch.linspace(-4, 4, 801, dtype=torch.float64)
    figure = style.new_figure(3.2)
    panels = figure.subplots(1, 2)
    for index, name in enumerate(ACTIVATIONS):
        look = {**style.line_style(index), "marker": None}
        for ax, values in zip(panels, slopes(name, x), strict=True):
            ax.plot(x.tolist(), values.tolist(), label=name, **look)
    panels[0].set(xlabel="x", ylabel="f(x)", ylim=(-1.5, 4))
    panels[1].set(xlabel="x", ylabel="f'(x)", ylim=(-0.1, 1.15))
    style.legend_below(figure, panels[0])
    return figure, (
        "What each lets through forwards (left) and of a gradient (right). Tanh and sigmoid go flat on both sides; "
        "ReLU has slope 1 wherever it is above 0."
    )


def transfer_by_layer() -> tuple[Figure, str]:
    """Each seed of each layer, trained and drawn, and the line of their means."""
    figure = style.new_figure(3.2)
    ax = figure.subplots()
    for number, label in enumerate(("trained on clothes", "drawn weights")):
        values = [both[number] for both in transfer.LENET.values()]
        look = style.line_style(number)
        ax.plot(range(len(values)), [sum(seeds) / len(seeds) for seeds in values], label=label, **look)
        for place, seeds in enumerate(values):
            ax.plot([place] * len(seeds), seeds, "_", color=look["color"], markersize=9)
    ax.axhline(transfer.PIXELS, color=GREY, linestyle=":", label="pixels")
    ax.set_xticks(range(len(transfer.LENET)), list(transfer.LENET))
    ax.set(xlabel="layer that the classifier reads", ylabel="top-1 error on digits (%)", ylim=(0, 16))
    style.legend_below(figure, ax)
    return figure, "LeNet: a linear classifier for digits on each layer. Dashes: three seeds; lines: their means."


def transfer_by_depth() -> tuple[Figure, str]:
    """One line for each network."""
    figure = style.new_figure(3.2)
    ax = figure.subplots()
    for number, (network, errors) in enumerate(transfer.RESNETS.items()):
        ax.plot(range(len(errors)), errors, label=network, **style.line_style(number))
    ax.set_xticks(range(len(transfer.RESNET_LAYERS)), list(transfer.RESNET_LAYERS))
    ax.set(xlabel="layer that the classifier reads", ylabel="top-1 error on clothes (%)", ylim=(0, 30))
    style.legend_below(figure, ax)
    return figure, "Public CIFAR-10 weights of four depths, read for other classes by a linear classifier."


def dropout() -> tuple[Figure, str]:
    """Probabilities of one class over all masks of a deep network, their mean, and that of the scaled network."""
    probabilities, exact, at_test = deep_example()
    figure = style.new_figure(3.0)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, number in zip(panels, exact.topk(2).indices.tolist(), strict=True):
        ax.hist(probabilities[:, number].tolist(), bins=40, color=GREY, label="one of the 2^n networks")
        ax.axvline(exact[number].item(), color=BLUE, label="their mean")
        ax.axvline(at_test[number].item(), color=VERMILLION, linestyle="--", label="one network, weights halved")
        ax.set(xlabel=f"probability of class {number}", xlim=(0, 1))
    panels[0].set_ylabel("networks")
    style.legend_below(figure, panels[0])
    return figure, (
        f"All {len(probabilities):,} masks of ten inputs before two ReLU layers. Halved weights come near the mean of "
        "the networks, and not to it."
    )


def receptive_field() -> tuple[Figure, str]:
    """The field of the last map of each network, as squares on its image."""
    figure = style.new_figure(3.6)
    ax = figure.subplots()
    rows = sorted((field, name, image) for name, _, field, _, image in map(last_field, FIELD_NETWORKS))
    for y, (field, _, image) in enumerate(rows):
        ax.barh(y, field, color=BLUE, height=0.6, label="field" if y == 0 else None)
        ax.plot([image, image], [y - 0.4, y + 0.4], color=VERMILLION, label="side of the image" if y == 0 else None)
        _label(ax, f"{field:,}", (max(field, image), y), (4, 0), va="center")
    ax.set_yticks(range(len(rows)), [name for _, name, _ in rows])
    ax.set(xlabel="pixels", xlim=(0, 1.1 * rows[-1][0]))
    ax.grid(axis="y", visible=False)
    style.legend_below(figure, ax)
    return figure, (
        "Theoretical receptive field of one unit of the last map, one side, and the side of the image that the network "
        "takes. What acts strongly lies in a smaller middle part (Luo et al. 2016)."
    )


def gradients() -> tuple[Figure, str]:
    """Gradient on the weights, layer by layer, of plain, residual and dense networks of about 100 layers."""
    figure = style.new_figure(3.4)
    ax = figure.subplots()
    for index, (name, norms) in enumerate(gradient_norms().items()):
        where = [number / (len(norms) - 1) for number in range(len(norms))]
        look = style.line_style(index)
        ax.plot(where, norms, label=name, markevery=max(1, len(norms) // 10), **look)
    ax.set(xlabel="place of the 3x3 convolution: 0 first, 1 last", ylabel="gradient, root mean square", yscale="log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    style.legend_below(figure, ax)
    return figure, (
        "Gradient of the loss on the weights of each 3x3 convolution at the start of training, one batch of noise. "
        "Without shortcuts it grows by orders of magnitude on its way to the input."
    )


def residual_scaling() -> tuple[Figure, str]:
    """Deviation after each residual block of Inception-ResNet-v2 at its start."""
    figure = style.new_figure(3.2)
    ax = figure.subplots()
    for index, (scale, after) in enumerate(activation_growth().items()):
        ax.plot(range(1, len(after) + 1), after, label=f"scale {scale}", markevery=5, **style.line_style(index))
    for place, text in ((5, "A"), (20, "B"), (35, "C")):
        ax.annotate(text, (place, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    for border in (10.5, 30.5):
        ax.axvline(border, color=GREY, linewidth=0.8, linestyle=":")
    ax.set(xlabel="residual block", ylabel="deviation of the sum", ylim=(0, None))
    style.legend_below(figure, ax)
    return figure, (
        "Inception-ResNet-v2 at its start, in training mode, on noise: its blocks of kind A, B and C. Scaled residuals "
        "leave the sum as large as it came in."
    )


def inception() -> tuple[Figure, str]:
    """The published errors of the steps, as the report has them."""
    return ladders.inception_ladder([])


def densenet_resnet() -> tuple[Figure, str]:
    """Figure 3 of the DenseNet paper, as the report has it."""
    return ladders.densenet_and_resnet()


def _label(ax: Axes, text: str, place: tuple[float, float], away: tuple[float, float], **align: Any) -> None:
    """`text` near `place`, `away` points from it, on white, so that lines behind it do not cross its letters."""
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
    ax.annotate(text, place, away, textcoords="offset points", fontsize=9, bbox=behind, **align)
