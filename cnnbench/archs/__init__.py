"""The networks: `build(name)` gives a module, `names()` the keys. Nothing here knows of training, Hydra or files.

Each family is one file: the paper's table on top, one class below. A family module holds `NETWORKS`, which maps a key
to its class and the constructor arguments that make it that key. Importing this package does not import torch.
"""

from __future__ import annotations

import difflib
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# Key -> the family module that holds it.
FAMILIES: dict[str, str] = {
    "lenet": "lenet",
    "alexnet": "alexnet",
    "vgg16": "vgg",
    "resnet18": "resnet",
    "resnet50": "resnet",
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
            raise ValueError(f"{name} has no option '{option}'{_nearest(option, known)}; it takes: {', '.join(known)}")
    return network(**{**fixed, "num_classes": num_classes, **options})


def options_of(name: str) -> list[str]:
    """The keyword arguments that `build` takes for the network `name`. Raises ValueError for an unknown name."""
    network, _ = _network(name)
    return list(inspect.signature(network).parameters)


def _network(name: str) -> tuple[type[nn.Module], dict[str, Any]]:
    """The class of a network and the constructor arguments that make it that network."""
    if name not in FAMILIES:
        raise ValueError(f"unknown network '{name}'{_nearest(name, names())}")
    return import_module(f"cnnbench.archs.{FAMILIES[name]}").NETWORKS[name]


def _nearest(word: str, known: list[str]) -> str:
    """', did you mean ...?' for a misspelt word, or nothing."""
    close = difflib.get_close_matches(word, known, n=3)
    return f", did you mean {' or '.join(close)}?" if close else ""
