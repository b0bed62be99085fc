"""Which layers of a network are as wide as the number of classes: its class says so by two constants.

CLASSIFIER             dotted name of the layer that gives the logits
AUXILIARY_CLASSIFIERS  auxiliary head -> the layer in it that gives its logits; absent without auxiliary heads
"""

from __future__ import annotations

from torch import nn


def classifier_of(model: nn.Module) -> str | None:
    """Dotted name of the layer that gives the logits; None for a network whose class names none."""
    return getattr(model, "CLASSIFIER", None)


def auxiliary_of(model: nn.Module) -> dict[str, str]:
    """Each auxiliary head that the network may have, and the dotted name of the layer that gives its logits."""
    return getattr(model, "AUXILIARY_CLASSIFIERS", {})


def head_prefixes(model: nn.Module) -> tuple[str, ...]:
    """What the names of the tensors of its classifier and of its auxiliary heads begin with."""
    return tuple(f"{head}." for head in (classifier_of(model), *auxiliary_of(model)) if head)
