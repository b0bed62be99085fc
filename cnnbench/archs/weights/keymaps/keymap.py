"""The names of one publisher, and a state dict by our names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch

from cnnbench.archs.weights.read import COUNTER, Weights

Replacement = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class Keymap:
    """Names of one publisher. `profile`: its label in profiles.py, if it alone uses them.

    `renames`: regular expression -> its replacement; none matches a name of ours. `marks`: expressions of which each
    matches a name in the file; where there are none, one of `renames` has to. `ordered`: expressions for layers of
    theirs that are only numbered -> for those of ours that they are, one after the other.

    Tensors, by our names: `flattened`, convolutions over a whole map that are fully connected layers here;
    `rows_first`, fully connected layers that see a map of so many channels by height, width, channel, here by channel,
    height, width; `bgr`, first convolutions that see blue, green, red. `centred_zeros`: new channels of a parameterless
    shortcut stand before and after the old ones, not only after them.
    """

    source: str
    profile: str | None
    renames: dict[str, Replacement]
    marks: tuple[str, ...] = ()
    ordered: dict[str, str] = field(default_factory=dict)
    flattened: tuple[str, ...] = ()
    rows_first: dict[str, int] = field(default_factory=dict)
    bgr: tuple[str, ...] = ()
    centred_zeros: bool = False

    def knows(self, names: Iterable[str]) -> bool:
        """Whether a file with these names is this publisher's."""
        names = tuple(names)
        if self.marks:
            return all(any(re.search(mark, name) for name in names) for mark in self.marks)
        return any(re.search(pattern, name) for pattern in self.renames for name in names)

    def apply(self, weights: Weights, own: Iterable[str]) -> Weights:
        """`weights` by the names of the network, which are `own`, and with its order of numbers."""
        layers = self._numbered(weights, own)
        result = {}
        for name, value in weights.items():
            layer, _, part = name.rpartition(".")
            name = f"{layers[layer]}.{part}" if layer in layers else self._renamed(name)
            result[name] = self._arranged(name, value)
        return result

    def _renamed(self, name: str) -> str:
        for pattern, replacement in self.renames.items():
            name = re.sub(pattern, replacement, name)
        return name

    def _numbered(self, weights: Weights, own: Iterable[str]) -> dict[str, str]:
        """The layers of `ordered` by ours; those of which the two have different numbers stay as they are."""
        pairs: dict[str, str] = {}
        for theirs, ours in self.ordered.items():
            ones, others = sorted(_layers(weights, theirs), key=_number), _layers(own, ours)
            if len(ones) == len(others):
                pairs |= dict(zip(ones, others, strict=True))
        return pairs

    def _arranged(self, name: str, value: torch.Tensor) -> torch.Tensor:
        if name in self.flattened:
            return value.flatten(1)
        channels = self.rows_first.get(name)
        if channels and value.dim() == 2 and value.shape[1] % channels == 0:
            return value.unflatten(1, (-1, channels)).transpose(1, 2).flatten(1)
        return value.flip(1) if name in self.bgr else value


def counted(template: str, *added: int) -> Callable[[re.Match[str]], str]:
    """A replacement: the groups of the match in the places {0}, {1}, ... of `template`, to the first of which, being
    numbers, `added` is added."""

    def replace(match: re.Match[str]) -> str:
        groups = list(match.groups())
        groups[: len(added)] = [int(group) + each for group, each in zip(groups, added, strict=False)]
        return template.format(*groups)

    return replace


def _layers(names: Iterable[str], pattern: str) -> list[str]:
    """The layers of the tensors `names` that `pattern` matches whole, in their order, each once."""
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names if not name.endswith(COUNTER))
    return [layer for layer in layers if re.fullmatch(pattern, layer)]


def _number(layer: str) -> list[int]:
    """conv2d and conv2d_10: what their numbers sort by."""
    return [int(part) for part in re.findall(r"(?<=\D)\d+", layer.replace("2d", ""))]
