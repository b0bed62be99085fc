"""The network that a config describes."""

from __future__ import annotations

from torch import nn

from cnnbench.archs import build, options_of
from cnnbench.archs.weights import load_weights
from cnnbench.config import ArchConfig
from cnnbench.errors import UserError


def build_network(arch: ArchConfig, num_classes: int, image_size: int, weights: str | None = None) -> nn.Module:
    """`arch` for `num_classes` classes and images of side `image_size`, with the weights of a file if one is given."""
    options = dict(arch.options)
    if arch.dropout is not None:
        options["dropout"] = arch.dropout
    if "image_size" in options_of(arch.name):
        options["image_size"] = image_size
    try:
        model = build(arch.name, num_classes, in_channels=arch.in_channels, **options)
        if weights is not None:
            load_weights(model, weights)
    except ValueError as error:
        raise UserError(str(error)) from error
    return model
