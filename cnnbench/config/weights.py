"""A file of weights, and what to take of it: the keys `weights_set`, `weights_from`, `weights_match` and
`weights_classifier`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnbench.config.fields import AUTO, key

MATCHES = ("names", "shapes")
KEEP, NEW = "keep", "new"  # values of weights_classifier, besides auto


@dataclass(frozen=True)
class WeightsChoice:
    """`name`: a file, or torchvision, as the key `weights`. `set`: which of several sets of weights in the file; None:
    the averaged one if there is one. `match`: a name of MATCHES. `classifier`: as the key weights_classifier; elsewhere
    than in training weights are taken whole."""

    name: str
    set: str | None = None
    match: str = "names"
    classifier: str = KEEP


def chosen_weights(config: Any, name: str | None = None) -> WeightsChoice | None:
    """What the keys of `config` say of its weights, or of those called `name`; None where it has none."""
    name = name or config.weights
    classifier = getattr(config, "weights_classifier", KEEP)
    return None if name is None else WeightsChoice(str(name), config.weights_set, config.weights_match, classifier)


def set_key() -> Any:
    return key("of a file with several sets of weights, the one to take; null: the averaged one, if there is one", None)


def checkpoint_key(of: str = "the run") -> Any:
    return key(f"which weights of {of}: last, best, or the number of an epoch that keep_every kept", "last")


def from_key() -> Any:
    return key(
        "publisher of the weights, whose images and switches are taken where none are given, as timm:a1_in1k "
        "(cnnbench zoo weights=true lists them); null: told by the file if that is possible",
        None,
    )


def match_key() -> Any:
    return key(
        "how tensors find their places; shapes: those of unknown names by order and shape, where that leaves no choice",
        "names",
        choices=MATCHES,
    )


def classifier_key() -> Any:
    return key(
        "classifier of the weights; auto: a new one where their classes are others than the data's, in number or, as "
        "far as the file tells, by name",
        AUTO,
        choices=(AUTO, KEEP, NEW),
    )
