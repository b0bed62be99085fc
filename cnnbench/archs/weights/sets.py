"""Where in a file a network's weights lie: below which wrappers and prefixes, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.archs.classifiers import head_prefixes
from cnnbench.archs.weights.keymaps.keymap import Keymap
from cnnbench.archs.weights.keymaps.tables import renamings
from cnnbench.archs.weights.read import COUNTER, Weights, WeightsFile
from cnnbench.runtime.errors import nearest

PARALLEL = "module"  # the prefix of DataParallel and of DistributedDataParallel
# Last parts of names of buffers that tools leave in a network: thop's counts, and images' means in it.
EXTRAS = ("total_ops", "total_params", "n_averaged", "mean", "std")
# Parts of the names that averaged weights go by. Where a file has both, these are what its author evaluated.
AVERAGES = ("ema", "averaged", "average", "avg", "swa", "shadow", "teacher")


@dataclass(frozen=True)
class WeightsSet:
    """The tensors of a file below one prefix.

    `prefix`: of their full names. `holder`: of the dictionary that they lie in. `weights`: by the network's own names,
    as far as `keymap` gives them; its classifier may come from `beside` the prefix. `known`: how many of the network's
    names are among them. `whole`: whether all of it is there but heads and counters, in its shapes, and nothing more.
    """

    prefix: str
    holder: str
    weights: Weights
    keymap: Keymap | None
    known: int
    whole: bool

    @property
    def stripped(self) -> str:
        """The part of the names themselves that was taken off, without what parallel wrappers put there."""
        parts = self.prefix.removeprefix(self.holder).split(".")
        return ".".join(part for part in parts if part != PARALLEL)


def choose_set(file: WeightsFile, model: nn.Module, wanted: str | None) -> tuple[WeightsSet, list[str]]:
    """The set of weights in `file` for `model`: the one that is `wanted`, or where none is, of several the averaged
    one, and of a file of ours that which is not; and what to tell of the choice, a sentence each.

    Where none is whole, the one that comes nearest. Raises ValueError if there is no such set.
    """
    found = find_sets(file, model)
    whole = _names([each for each in found if each.whole and not _is_within_another(each, found)])
    if wanted is not None and wanted not in whole:
        known = f"it has {', '.join(whole)}" if whole else "none of its sets fits the network"
        raise ValueError(f"weights_set={wanted} is not a set of weights in the file{nearest(wanted, whole)}: {known}")
    if not whole:
        return max(found, key=lambda each: each.known), []
    name = wanted or next((name for name in whole if _is_average(name) and file.arch is None), next(iter(whole)))
    notes = []
    if len(whole) > 1 and wanted is None:
        others = " or ".join(f"weights_set={other}" for other in whole if other != name)
        notes.append(f"{len(whole)} sets of weights in the file, {', '.join(whole)}: this is {name}; else {others}")
    return whole[name], notes


def _is_within_another(one: WeightsSet, found: list[WeightsSet]) -> bool:
    """Whether the tensors of `one` are those of another whole set, which has its classifier too."""
    return any(each.whole and each is not one and one.prefix.startswith(each.prefix) for each in found)


def find_sets(file: WeightsFile, model: nn.Module) -> list[WeightsSet]:
    """The tensors below each prefix of the names in `file` that has enough of them; at least one."""
    own, kind = model.state_dict(), type(model).__name__
    below: Counter[str] = Counter()
    for name in file.tensors:
        below.update(_prefixes(name))
    heads = head_prefixes(model)
    body = _body(own, heads)
    found = []
    for prefix, count in below.items():
        if count >= len(body) // 2 or not prefix:
            weights = {name[len(prefix) :]: value for name, value in file.tensors.items() if name.startswith(prefix)}
            holder = _holder(prefix, file)
            forms = [
                WeightsSet(prefix, holder, mine, keymap, sum(name in mine for name in own), _is_whole(mine, own, heads))
                for mine, keymap in renamings(weights, kind, own)
            ]
            found.append(max(forms, key=lambda each: (each.whole, each.known)))
    return found


def largest(file: WeightsFile) -> Weights:
    """The tensors of the dictionary with the most of them, without the prefix that all their names share."""
    names = max(_inside(file).values(), key=len)
    shared = max((prefix for prefix in _prefixes(names[0]) if all(name.startswith(prefix) for name in names)), key=len)
    return {name[len(shared) :]: file.tensors[name] for name in names}


def _inside(file: WeightsFile) -> dict[str, list[str]]:
    """The full names of what each holder holds itself."""
    names: dict[str, list[str]] = {holder: [] for holder in file.holders}
    for name in file.tensors:
        names[_holder(name, file)].append(name)
    return names


def _holder(name: str, file: WeightsFile) -> str:
    """The name of what holds the tensor, or the tensors below the prefix, that `name` is."""
    return max((holder for holder in file.holders if name.startswith(holder)), key=len, default="")


def _prefixes(name: str) -> Iterator[str]:
    """ "", "a." and "a.b." of the name a.b.c."""
    yield ""
    at = name.find(".")
    while at >= 0:
        yield name[: at + 1]
        at = name.find(".", at + 1)


def _body(own: Weights, heads: tuple[str, ...]) -> list[str]:
    """The names of the network's tensors without those of its heads and counters, which a file may lack."""
    return [name for name in own if not name.startswith(heads) and not name.endswith(COUNTER)]


def is_counter(name: str, value: torch.Tensor) -> bool:
    """Whether a tensor that the network does not have is a single number, or a buffer of EXTRAS."""
    return value.numel() <= 1 or name.rpartition(".")[2] in EXTRAS


def _is_whole(weights: Weights, own: Weights, heads: tuple[str, ...]) -> bool:
    if not all(name in weights and weights[name].shape == own[name].shape for name in _body(own, heads)):
        return False
    return all(name in own or name.startswith(heads) or is_counter(name, value) for name, value in weights.items())


def _names(sets: list[WeightsSet]) -> dict[str, WeightsSet]:
    """Each set by the shortest name that tells it from the others: of its dictionary, else of its prefix."""
    holders = Counter(each.holder for each in sets)
    names = {}
    for each in sets:
        name = (each.holder if holders[each.holder] == 1 else each.prefix).rstrip(".")
        names[name.removesuffix(f".{PARALLEL}") or "top"] = each
    return names


def _is_average(name: str) -> bool:
    parts = name.lower().replace(".", "_").split("_")
    return any(part in AVERAGES for part in parts)
