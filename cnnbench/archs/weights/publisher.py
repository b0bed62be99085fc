"""Whose a file of weights is, and so which images and switches it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnnbench.archs.registry import build, kind_of
from cnnbench.archs.weights.keymaps.tables import KEYMAPS
from cnnbench.archs.weights.profiles import named, of_file, profiles_of
from cnnbench.archs.weights.read import WeightsFile, read_weights
from cnnbench.archs.weights.sets import choose_set
from cnnbench.archs.weights.torchvision import choose_weights
from cnnbench.config.arch import from_torchvision

OURS = "cnnbench"


@dataclass(frozen=True)
class Expected:
    """What weights expect. `label`: whose they are, as weights_from= names it. `keys`: keys of `arch`, by their full
    names, with the values that follow from it. `arch`: the network that a file of ours is of."""

    label: str
    keys: Mapping[str, Any]
    arch: str | None = None


def expected_by(arch: str, weights: str, label: str | None) -> Expected | None:
    """What `weights`, a file or torchvision's, expect of the network `arch`; None where the file does not tell.

    By the `label` that the user gives, or else by what the file is: the SHA-256 that its publisher states, what a file
    of ours says of itself, or names of tensors that one publisher alone has. Raises ValueError for a label that is not
    known, and for a file that cannot be read, OSError for one that is not there.
    """
    if from_torchvision(weights):
        label = f"torchvision:{choose_weights(arch, weights).rpartition('.')[2]}"
    if label is not None and label != OURS:
        profile = named(arch, label)
        return Expected(profile.label, profile.keys)
    path = Path(weights).expanduser()
    if known := of_file(arch, path):
        return Expected(known.label, known.keys)
    file = read_weights(path)
    if file.arch is not None:
        return Expected(OURS, _stated_keys(file), file.arch)
    return _by_names(arch, file)


def _stated_keys(file: WeightsFile) -> dict[str, Any]:
    """The keys of `arch` that a file of ours states; a grey image's one number stands for all three channels."""
    stated = {name: value for name, value in file.stated.items() if name != "options"}
    for name in ("mean", "std"):
        if len(stated.get(name, ())) == 1:
            stated[name] = stated[name] * 3
    keys = {f"arch.{name}": value for name, value in stated.items()}
    return keys | {f"arch.options.{name}": value for name, value in file.stated.get("options", {}).items()}


def _by_names(arch: str, file: WeightsFile) -> Expected | None:
    """By a key map that one publisher alone has, if the file holds its network whole: built with its switches, which
    can give it other tensors than the network has by itself."""
    known = profiles_of(arch)
    labels = dict.fromkeys(keymap.profile for keymap in KEYMAPS.get(kind_of(arch), ()) if keymap.profile in known)
    for label in labels:
        assert label is not None  # none is a key of `known`
        profile = known[label]
        with torch.device("meta"):
            found, _ = choose_set(file, build(arch, **profile.options), None)
        if found.whole and found.keymap is not None and found.keymap.profile == label:
            return Expected(label, profile.keys)
    return None
