"""Which network a file of weights belongs to, by the shapes of its tensors; for the message when it does not fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from cnnbench.archs.classifiers import head_prefixes
from cnnbench.archs.facts import facts
from cnnbench.archs.registry import build, names
from cnnbench.archs.weights.keymaps.tables import KEYMAPS, renamings
from cnnbench.archs.weights.match import match_shapes
from cnnbench.archs.weights.read import COUNTER, Weights, WeightsFile
from cnnbench.archs.weights.sets import WeightsSet, largest

# Options, beside each network's own, that public weights are known to have been trained with.
VARIANTS: dict[str, dict[str, Any]] = {
    "inception_v4": {"kernel_order": "released"},
    **{name: {"shortcut": "B"} for name in ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")},
}

# Numbers in a file as a share of the published parameters, which are without auxiliary heads: fewer with
# fewer classes, more with auxiliary heads or many classes. Only networks within are built: that takes the time.
SMALLEST, LARGEST = 0.4, 2.5
NEARLY = 0.9  # share of the network's tensors from which on the others are what is wrong


@dataclass(frozen=True)
class Shapes:
    """Of a network without its heads, which change with the classes; `heads`: number of tensors in these."""

    kind: str
    body: Counter[torch.Size]
    heads: int

    def fits(self, file: Counter[torch.Size]) -> bool:
        """Whether the file has the body, and besides at most a classifier and auxiliary heads."""
        return self.body <= file and file.total() - self.body.total() <= self.heads


def identify(file: WeightsFile, model: nn.Module, found: WeightsSet) -> str:
    """Half a sentence that says which network `file`, which does not fit `model`, looks like. `found`: the set of its
    weights that came nearest."""
    if file.arch is not None:
        return f"cnnbench wrote it for {file.arch}"
    own_weights, weights = model.state_dict(), largest(file)
    shapes = {kind: _count(list(renamings(weights, kind))[-1][0]) for kind in KEYMAPS}
    plain = _count(weights)
    own = _shapes(model)
    if own.fits(shapes.get(own.kind, plain)):
        known = "its tensors have the shapes of this very network, under names that are not known here"
        return f"{known}: weights_match=shapes pairs them by their order" if _pairs(weights, own_weights) else known
    size = sum(value.numel() for value in weights.values())
    labels = [
        label
        for name in names()
        if _is_near(size, facts(name)["params"]["total"])
        for label, network in _networks(name).items()
        if network.fits(shapes.get(network.kind, plain))
    ]
    if labels:
        return f"it looks like {' or '.join(labels)}"
    fitting = sum(_has(found.weights, name, value) for name, value in own_weights.items())
    if fitting >= NEARLY * len(own_weights):
        return f"{fitting} of the network's {len(own_weights)} tensors are there"
    return "it looks like none of the networks here"


def _has(weights: Weights, name: str, value: torch.Tensor) -> bool:
    return name in weights and weights[name].shape == value.shape


def _pairs(weights: Weights, own: Weights) -> bool:
    """Whether weights_match=shapes can pair them."""
    try:
        match_shapes(weights, own)
    except ValueError:
        return False
    return True


def _is_near(size: int, published: int | None) -> bool:
    return published is None or SMALLEST <= size / published <= LARGEST


@cache
def _networks(name: str) -> dict[str, Shapes]:
    """The network `name`, and its variant if it has one, by a label; without storage."""
    with torch.device("meta"):
        found = {name: _shapes(build(name))}
        if options := VARIANTS.get(name):
            label = f"{name} with {', '.join(f'{option}={value}' for option, value in options.items())}"
            found[label] = _shapes(build(name, **options))
    return found


def _shapes(model: nn.Module) -> Shapes:
    kind, weights = type(model).__name__, model.state_dict()
    heads = head_prefixes(model)
    body = _count({key: value for key, value in weights.items() if not key.startswith(heads)})
    return Shapes(kind, body, _count(weights).total() - body.total())


def _count(weights: Weights) -> Counter[torch.Size]:
    return Counter(value.shape for key, value in weights.items() if not key.endswith(COUNTER))
