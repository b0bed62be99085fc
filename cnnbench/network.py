"""The network that a config describes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnbench.archs import build, options_of
from cnnbench.archs.weights import load_weights
from cnnbench.config import ArchConfig
from cnnbench.errors import UserError


def build_network(arch: ArchConfig, num_classes: int, image_size: int, weights: str | None = None) -> nn.Module:
    """`arch` for `num_classes` classes and images of side `image_size`, with the weights of a file if one is given."""
    try:
        model = build(arch.name, num_classes, **_options(arch, image_size))
        if weights is not None:
            load_weights(model, weights)
    except ValueError as error:
        raise UserError(str(error)) from error
    return model


def build_on_meta(arch: ArchConfig, num_classes: int, image_size: int) -> nn.Module:
    """The same network without memory for its weights, to be described."""
    with torch.device("meta"):
        return build_network(arch, num_classes, image_size)


def _options(arch: ArchConfig, image_size: int) -> dict[str, Any]:
    """Keyword arguments of `build`: the network's switches, and what of the config it has a use for."""
    options = {**arch.options, "in_channels": arch.in_channels}
    if arch.dropout is not None:
        options["dropout"] = arch.dropout
    if "image_size" in options_of(arch.name):
        options["image_size"] = image_size
    return options
