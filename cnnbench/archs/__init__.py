"""The networks: `build(name)` gives a module, `names()` the keys, `load_weights` fills one. Nothing here knows of
training or Hydra, and only `load_weights` of files.

Each family is one file: the paper's table on top, one class below. A family module holds `NETWORKS`, which maps a key
to its class and the constructor arguments that make it that key. Importing this package does not import torch.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnbench.runtime.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

# Key -> the family module that holds it.
FAMILIES: dict[str, str] = {
    "lenet": "lenet",
    "alexnet": "alexnet",
    "alexnet_tv": "alexnet_tv",
    "zfnet": "zfnet",
    "vgg11": "vgg",
    "vgg11_bn": "vgg",
    "vgg13": "vgg",
    "vgg13_bn": "vgg",
    "vgg16": "vgg",
    "vgg16_bn": "vgg",
    "vgg19": "vgg",
    "vgg19_bn": "vgg",
    "googlenet": "googlenet",
    "googlenet_tv": "googlenet",
    "bn_inception": "bn_inception",
    "inception_v2": "inception_v2",
    "inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "inception_resnet_v1": "inception_resnet",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_resnet_v2_paper": "inception_resnet",
    "xception": "xception",
    "plain18": "resnet",
    "plain34": "resnet",
    "resnet18": "resnet",
    "resnet34": "resnet",
    "resnet50": "resnet",
    "resnet101": "resnet",
    "resnet152": "resnet",
    "resnet50_v1": "resnet",
    "resnet101_v1": "resnet",
    "resnet152_v1": "resnet",
    "resnet20": "cifar_resnet",
    "resnet32": "cifar_resnet",
    "resnet44": "cifar_resnet",
    "resnet56": "cifar_resnet",
    "resnet110": "cifar_resnet",
    "plain20": "cifar_resnet",
    "plain32": "cifar_resnet",
    "plain44": "cifar_resnet",
    "plain56": "cifar_resnet",
    "wide_resnet18_1p5": "wide_resnet",
    "wide_resnet18_2": "wide_resnet",
    "wide_resnet18_3": "wide_resnet",
    "wide_resnet34_1p5": "wide_resnet",
    "wide_resnet34_2": "wide_resnet",
    "wide_resnet50_2": "wide_resnet",
    "wide_resnet101_2": "wide_resnet",
    "wrn16_4": "wide_resnet",
    "wrn28_10": "wide_resnet",
    "resnext50_32x4d": "resnext",
    "resnext101_32x4d": "resnext",
    "resnext101_64x4d": "resnext",
    "resnext101_32x8d": "resnext",
    "resnext29_8x64d": "resnext",
    "preact_resnet18": "preact_resnet",
    "preact_resnet34": "preact_resnet",
    "preact_resnet50": "preact_resnet",
    "preact_resnet101": "preact_resnet",
    "preact_resnet152": "preact_resnet",
    "densenet121": "densenet",
    "densenet169": "densenet",
    "densenet201": "densenet",
    "densenet264": "densenet",
    "densenet161": "densenet",
    "densenet_bc100_12": "densenet",
}


def names() -> list[str]:
    """Every key that `build` takes, family by family."""
    return list(FAMILIES)


def build(name: str, num_classes: int = 1000, **options: Any) -> nn.Module:
    """Build the network `name` with its paper's initialisation, drawn from torch's global generator.

    `options` are keyword arguments of the family's class: `in_channels` (all), `dropout` (probability in [0, 1)),
    `image_size` (pixels; networks whose classifier is as wide as the last map) and the family's own switches.
    A module takes float (N, in_channels, H, W) and returns logits (N, num_classes); in training mode a network with
    auxiliary heads returns the tuple (logits, *auxiliary logits), to be weighted by its `aux_weights`.

    Raises ValueError, in one sentence, for an unknown name, an unknown option or an impossible value.
    """
    network, fixed = _network(name)
    known = options_of(name)
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option '{option}'{nearest(option, known)}; it takes: {', '.join(known)}")
    return network(**{**fixed, "num_classes": num_classes, **options})


def load_weights(
    model: nn.Module,
    path: str | Path,
    new_classifier: bool = True,
    normalised: tuple[Sequence[float], Sequence[float]] | None = None,
) -> list[str]:
    """Load a public or own weights file into `model`; what was done besides, a sentence each. See weights.py.

    Raises ValueError, in one sentence, for a file that cannot be read or does not fit.
    """
    from cnnbench.archs.weights import load as weights

    return weights.load_weights(model, path, new_classifier, normalised)


def options_of(name: str) -> list[str]:
    """The keyword arguments that `build` takes for the network `name`. Raises ValueError for an unknown name."""
    network, _ = _network(name)
    return list(inspect.signature(network).parameters)


def _network(name: str) -> tuple[type[nn.Module], dict[str, Any]]:
    """The class of a network and the constructor arguments that make it that network."""
    if name not in FAMILIES:
        raise ValueError(f"unknown network '{name}'{nearest(name, names())}")
    return import_module(f"cnnbench.archs.{FAMILIES[name]}").NETWORKS[name]
