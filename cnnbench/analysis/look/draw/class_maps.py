"""The places of the image that speak for a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from cnnbench.analysis.look.class_maps import class_activation, grad_cam
from cnnbench.analysis.look.draw.drawn import HEAT, Drawn, bare, enlarged, lit, short, show_pixels, told
from cnnbench.analysis.look.subject import Subject
from cnnbench.analysis.report import style

CLASSES = 3  # the one asked for, and the most probable others


def class_activations(subject: Subject) -> Iterator[Drawn]:
    """Class activation maps (Zhou et al. 2016)."""
    about = (
        "The weights of each class's row of the classifier, applied to the last map before it is averaged (Zhou et al. "
        "2016)"
    )
    yield _drawn(
        subject,
        "class-activation",
        "Class activation maps",
        about,
        lambda c: class_activation(subject.network, subject.image, c),
    )


def grad_cams(subject: Subject) -> Iterator[Drawn]:
    """Grad-CAM (Selvaraju et al. 2017) of the layer that is looked at."""
    about = (
        f"The maps of {subject.layer_name}, each weighted by the mean gradient of the class's logit (Selvaraju et al. "
        "2017)"
    )
    yield _drawn(
        subject,
        "grad-cam",
        f"Grad-CAM of {subject.layer_name}",
        about,
        lambda c: grad_cam(subject.network, subject.image, subject.layer, c),
    )


def _drawn(subject: Subject, name: str, title: str, about: str, made: Callable[[int], torch.Tensor]) -> Drawn:
    others = np.argsort(-subject.probabilities, kind="stable")
    classes = [subject.target, *(int(each) for each in others if each != subject.target)][:CLASSES]
    figure = style.new_figure(4.1)
    panels = figure.subplots(2, len(classes) + 1, squeeze=False)
    show_pixels(panels[0, 0], subject.pixels, "the image")
    bare(panels[1, 0])
    silent = []
    for column, label in enumerate(classes, 1):
        heat = made(label)
        whole = enlarged(heat, subject.side)
        if whole.max() == 0:
            silent.append(short(subject.classes[label]))
        axes = panels[0, column]
        shown = axes.imshow(whole, cmap=HEAT, vmin=0, vmax=1, interpolation="nearest")
        share = told(100 * float(subject.probabilities[label]))
        axes.set_title(f"{short(subject.classes[label], 17)}\n{share} %", fontsize=9)
        bare(axes)
        show_pixels(panels[1, column], lit(subject.pixels, whole))
    figure.colorbar(shown, ax=panels[:, 1:], label="share of the largest value", ticks=(0, 0.5, 1), shrink=0.6)
    nothing = f" Nothing speaks for {', '.join(silent)}." if silent else ""
    caption = (
        f"{about}: for the class asked for and the {len(classes) - 1} most probable others, above what speaks for it, "
        f"enlarged from {heat.shape[0]} x {heat.shape[1]} places, below the image lit by it. What speaks against the "
        "class is shown as 0; each map is stretched to its own largest value, so that strengths of classes cannot be "
        f"compared.{nothing}"
    )
    return Drawn(name, title, figure, caption)
