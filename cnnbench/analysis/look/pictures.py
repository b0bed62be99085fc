"""Which function draws which picture, and what has to be there for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnnbench.analysis.look.class_maps import class_activation
from cnnbench.analysis.look.draw.activations import activations
from cnnbench.analysis.look.draw.class_maps import class_activations, grad_cams
from cnnbench.analysis.look.draw.deconvolution import deconvolution
from cnnbench.analysis.look.draw.drawn import Drawn
from cnnbench.analysis.look.draw.filters import convolution, filters
from cnnbench.analysis.look.draw.landscape import landscape
from cnnbench.analysis.look.draw.layers import gradients, units
from cnnbench.analysis.look.draw.occlusion import occlusion
from cnnbench.analysis.look.draw.receptive_field import receptive_field
from cnnbench.analysis.look.network import require_map
from cnnbench.analysis.look.subject import Subject
from cnnbench.config.look import PICTURES
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.implementations import Implementations

DRAWINGS: Implementations[Callable[[Subject], Iterator[Drawn]]] = Implementations(
    "DRAWINGS in cnnbench/analysis/look/pictures.py",
    {
        "filters": filters,
        "activations": activations,
        "receptive_field": receptive_field,
        "occlusion": occlusion,
        "deconvolution": deconvolution,
        "class_activation": class_activations,
        "grad_cam": grad_cams,
        "units": units,
        "gradients": gradients,
        "landscape": landscape,
    },
)

OF_A_SPLIT = ("units", "gradients", "landscape")
OF_MAPS = ("receptive_field", "grad_cam")


def wanted(subject: Subject) -> dict[str, str | None]:
    """The pictures that are to be drawn, in the order of PICTURES, and why one of them cannot be.

    UserError where one that is asked for by name cannot be drawn.
    """
    asked = subject.config.pictures
    chosen = {name: _obstacle(subject, name) for name in PICTURES if not asked or name in asked}
    for why in chosen.values():
        if asked and why is not None:
            raise UserError(why)
    return chosen


def _obstacle(subject: Subject, name: str) -> str | None:
    try:
        if name in OF_A_SPLIT and subject.split is None:
            return f"{name} needs images of a split: give data=PATH"
        if name in OF_MAPS:
            require_map(subject.network, subject.layer, name)
        if name == "class_activation":
            class_activation(subject.network, subject.image, subject.target)
        if name == "filters":
            convolution(subject)
    except UserError as error:
        return str(error)
    return None
