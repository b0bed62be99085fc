"""The network that a config describes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.archs.blurpool import apply_blurpool
from cnnbench.archs.norms import apply_norm_keys
from cnnbench.archs.registry import build, names, options_of
from cnnbench.archs.residual import apply_block_keys
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.torchvision import fetch_weights
from cnnbench.config.arch import ArchConfig, from_torchvision
from cnnbench.config.weights import WeightsChoice
from cnnbench.runtime.errors import UserError, nearest


def build_network(
    arch: ArchConfig,
    num_classes: int,
    image_size: int,
    weights: WeightsChoice | None = None,
    classes: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> nn.Module:
    """`arch` for `num_classes` classes and images of side `image_size`, with `weights`.

    `classes`: their names, if they are known, for weights whose classifier may be of others.
    `tell` gets a line for each thing that loading did besides (a leader passes print). Raises UserError.
    """
    if arch.name not in names():
        raise UserError(
            f"unknown network '{arch.name}'{nearest(arch.name, names())}; a file of your own for one that is known "
            "says which, as in name: resnet50"
        )
    try:
        model = build(arch.name, num_classes, **_options(arch, image_size))
        apply_block_keys(model, arch)
        apply_norm_keys(model, arch)
        if arch.blurpool:
            apply_blurpool(model, arch.name)
        notes = [] if weights is None else _load(model, arch, weights, classes)
    except ValueError as error:
        raise UserError(str(error)) from error
    except RuntimeError as error:  # torch has no type of its own for it
        if "allocate" not in str(error):
            raise
        raise UserError(
            f"{arch.name} for images of {image_size} pixels is too large for the memory there is: lower image_size="
        ) from error
    if tell is not None:
        for note in notes:
            tell(f"weights     {note}")
    return model


def build_on_meta(arch: ArchConfig, num_classes: int, image_size: int) -> nn.Module:
    """The same network without memory for its weights, to be described."""
    with torch.device("meta"):
        return build_network(arch, num_classes, image_size)


def _load(model: nn.Module, arch: ArchConfig, weights: WeightsChoice, classes: Sequence[str]) -> list[str]:
    file = weights_file(arch.name, weights.name)
    return load_weights(model, file, weights.set, weights.match, weights.classifier, classes)


def _options(arch: ArchConfig, image_size: int) -> dict[str, Any]:
    """Keyword arguments of `build`: the network's switches, and what of the config it has a use for."""
    options = {**arch.options, "in_channels": arch.in_channels}
    if arch.dropout is not None:
        options["dropout"] = arch.dropout
    if arch.stochastic_depth is not None:
        options["stochastic_depth"] = arch.stochastic_depth
    if "image_size" in options_of(arch.name):
        options["image_size"] = image_size
    return options


def normalised_by(arch: ArchConfig) -> tuple[list[float], list[float]]:
    """Mean and deviation, in [0, 1], of each channel that the network takes: a grey image has the means of the three,
    as in data/loading/normalise.py."""
    if arch.in_channels == 3:
        return arch.mean, arch.std
    return [sum(arch.mean) / len(arch.mean)], [sum(arch.std) / len(arch.std)]


def weights_file(name: str, weights: str) -> Path:
    """The file that `weights` means for the network `name`, fetched if it is torchvision's and not in the cache."""
    try:
        return fetch_weights(name, weights) if from_torchvision(weights) else Path(weights).expanduser()
    except ValueError as error:
        raise UserError(str(error)) from error
