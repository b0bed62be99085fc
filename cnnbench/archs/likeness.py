"""Which network a file of weights belongs to, by the shapes of its tensors; for the message when it does not fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from cnnbench.archs import build, names
from cnnbench.archs.renames import AUXILIARY, CLASSIFIERS, NAMINGS
from cnnbench.archs.weights import COUNTER, Weights, WeightsFile, renamed

# Options, beside each network's own, that public weights are known to have been trained with.
VARIANTS = {
    "inception_v4": {"kernel_order": "released"},
    **{name: {"shortcut": "B"} for name in ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")},
}


@dataclass(frozen=True)
class Shapes:
    """Of a network without its heads, which change with the classes; `heads`: number of tensors in these."""

    kind: str
    body: Counter[torch.Size]
    heads: int

    def fits(self, file: Counter[torch.Size]) -> bool:
        """Whether the file has the body, and besides at most a classifier and auxiliary heads."""
        return self.body <= file and file.total() - self.body.total() <= self.heads


def likeness(file: WeightsFile, model: nn.Module) -> str:
    """Half a sentence that says which network `file`, which does not fit `model`, looks like."""
    if file.arch is not None:
        return f"cnnbench wrote it for {file.arch}"
    shapes = {kind: _count(renamed(file.weights, kind)[0]) for kind in NAMINGS}
    plain = _count(file.weights)
    own = _shapes(model)
    if own.fits(shapes.get(own.kind, plain)):
        return "its tensors have the shapes of this very network, under names that are not known here"
    found = [label for label, network in _zoo().items() if network.fits(shapes.get(network.kind, plain))]
    return f"it looks like {' or '.join(found)}" if found else "it looks like none of the networks here"


@cache
def _zoo() -> dict[str, Shapes]:
    """Every network and variant by a label; a few seconds, without storage."""
    with torch.device("meta"):
        zoo = {name: _shapes(build(name)) for name in names()}
        for name, options in VARIANTS.items():
            label = f"{name} with {', '.join(f'{option}={value}' for option, value in options.items())}"
            zoo[label] = _shapes(build(name, **options))
    return zoo


def _shapes(model: nn.Module) -> Shapes:
    kind, weights = type(model).__name__, model.state_dict()
    heads = tuple(f"{head}." for head in (CLASSIFIERS.get(kind), *AUXILIARY.get(kind, ())) if head)
    body = _count({key: value for key, value in weights.items() if not key.startswith(heads)})
    return Shapes(kind, body, _count(weights).total() - body.total())


def _count(weights: Weights) -> Counter[torch.Size]:
    return Counter(value.shape for key, value in weights.items() if not key.endswith(COUNTER))
