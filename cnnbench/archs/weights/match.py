"""Tensors of unknown names into a network by their order and shapes, where these and the names leave no choice."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from cnnbench.archs.weights.read import COUNTER, Weights

# Names of the tensors of a layer: ours -> those that others give them.
PARTS = {
    "weight": ("weight", "kernel", "gamma", "scale", "w"),
    "bias": ("bias", "beta", "b", "offset"),
    "running_mean": ("running_mean", "moving_mean", "mean"),
    "running_var": ("running_var", "moving_variance", "moving_var", "var", "variance"),
}
OURS = {theirs: part for part, names in PARTS.items() for theirs in names}


@dataclass(frozen=True)
class Layer:
    """The tensors of one layer: the name of the layer, and for each of its parts the shape and the full name."""

    name: str
    parts: dict[str, tuple[tuple[int, ...], str]]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {part: shape for part, (shape, _) in self.parts.items()}


def match_shapes(weights: Weights, own: Weights) -> tuple[Weights, list[str]]:
    """`weights` by the names of `own`, layer after layer in the order of both; what was paired, in a sentence.

    Layers are paired if they have the same parts in the same shapes. Where several have equal shapes, the names of the
    file have to be in an order of their own, by numbers or letters, that is ours too. Raises ValueError, in one
    sentence with the first layers that do not fit or that could be exchanged.
    """
    theirs, ours = _layers(weights), _layers({name: value for name, value in own.items() if not name.endswith(COUNTER)})
    for number, (one, other) in enumerate(zip(theirs, ours, strict=False), 1):
        if one.shapes != other.shapes:
            raise ValueError(
                f"weights_match=shapes: layer {number} is {_shown(one)} in the file and {_shown(other)} in the network"
            )
    if len(theirs) != len(ours):
        raise ValueError(f"weights_match=shapes: {len(theirs)} layers in the file and {len(ours)} in the network")
    if groups := _exchangeable(theirs, ours):
        more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
        raise ValueError(
            "weights_match=shapes: the order of these layers could be another, for their shapes are equal and their "
            f"names do not tell: {'; '.join(groups[:3])}{more}"
        )
    paired = {
        other.parts[part][1]: weights[name]
        for one, other in zip(theirs, ours, strict=True)
        for part, (_, name) in one.parts.items()
    }
    first, last = (f"{theirs[at].name} is {ours[at].name}" for at in (0, -1))
    return paired, [f"{len(ours)} layers paired by order and shapes, unseen by name: {first}, ..., {last}"]


def _layers(weights: Weights) -> list[Layer]:
    """The layers of a state dict in its order. Raises ValueError for a tensor whose part of a layer is not known."""
    found: dict[str, dict[str, tuple[tuple[int, ...], str]]] = defaultdict(dict)
    for name, value in weights.items():
        layer, part = _split(name)
        if part == COUNTER:
            continue
        if part not in OURS or OURS[part] in found[layer]:
            raise ValueError(f"weights_match=shapes: {name} of the file is not called weight, bias, mean or variance")
        found[layer][OURS[part]] = tuple(value.shape), name
    return [Layer(name, dict(sorted(parts.items()))) for name, parts in found.items()]


def _split(name: str) -> tuple[str, str]:
    """Layer and part of a tensor's name: a.conv1 and weight of a.conv1.weight, and of a_conv1_weight."""
    for part in sorted((*OURS, COUNTER), key=len, reverse=True):
        if re.search(rf"(^|[._/]){part}$", name):
            return name[: -len(part)].rstrip("._/"), part
    return name.rpartition(".")[0], name.rpartition(".")[2]


def _exchangeable(theirs: list[Layer], ours: list[Layer]) -> list[str]:
    """The groups of layers with equal shapes whose names in the file are in no order, in words."""
    groups: dict[tuple, list[tuple[Layer, Layer]]] = defaultdict(list)
    for one, other in zip(theirs, ours, strict=True):
        groups[tuple(other.shapes.items())].append((one, other))
    found = []
    for pairs in groups.values():
        names = [one.name for one, _ in pairs]
        if len(pairs) > 1 and names != sorted(names, key=_natural):
            found.append(f"{_some(names)} for {_some([other.name for _, other in pairs])}")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + ", ..." * (len(names) > 4)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which names sort with their numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", name)]


def _shown(layer: Layer) -> str:
    shapes = ", ".join(f"{part} {list(shape)}" for part, shape in layer.shapes.items())
    return f"{layer.name} ({shapes})"
