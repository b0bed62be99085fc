"""Weights from a public or own checkpoint file into a network. The names of others are in renames.py."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from cnnbench.archs.weights.keymaps import (
    AUXILIARY,
    BACKGROUND_FIRST,
    CLASSIFIERS,
    KEYMAPS,
    NORMALISED,
    TORCHVISION,
    Keymap,
)

WRAPPERS = ("model", "state_dict", "model_state", "model_state_dict")
COUNTER = "num_batches_tracked"  # of batch normalisation; files from before torch 0.4.1 lack it

Weights = dict[str, torch.Tensor]
Normalised = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class WeightsFile:
    """A state dict without wrappers and prefixes, on the CPU.

    If cnnbench wrote it, `arch` is the key of the network, and `normalised` the mean and the deviation of its images,
    in [0, 1], for each channel.
    """

    weights: Weights
    arch: str | None = None
    normalised: Normalised | None = None


def load_weights(
    model: nn.Module, path: str | Path, new_classifier: bool = True, normalised: Normalised | None = None
) -> list[str]:
    """Load the weights in `path` into `model`, in place; what was done besides, a sentence each, for the user.

    Takes .safetensors, and .pt or .pth files of torch.save with a state dict, bare or below one of WRAPPERS, with names
    as ours, torchvision's or timm's (renames.py). Every key has to fit, except: auxiliary heads may be in the file
    alone (left out) or in the network alone (they keep their start), counters of batches may be missing. Where the
    numbers of classes differ the classifier keeps its start, or with `new_classifier=False` that is an error too.
    `normalised`: mean and deviation of the images that the network is to see; a file that states others is an error,
    and if public weights expect others that is a note.

    A file cannot tell a ResNet with the stride in the 3x3 convolution ("v1.5", as all of torchvision's are) from one
    with the stride in the 1x1 ("v1"), nor where a parameterless shortcut puts its zeros: the caller has to know.

    Raises ValueError, in one sentence, for a file that cannot be read, holds more than tensors and plain values
    (nothing in it is executed) or does not fit; then `model` is as it was.
    """
    file = read_weights(path)
    own, kind = model.state_dict(), type(model).__name__
    weights, naming = renamed(file.weights, kind)
    notes = [f"renamed from {naming.source} names"] if naming else []
    notes += _match_auxiliary(weights, own, kind)
    notes += _match_classifiers(weights, own, kind, path, new_classifier)
    absent = [key for key in own if key.endswith(f".{COUNTER}") and key not in weights]
    if problem := _misfit({**weights, **{key: own[key] for key in absent}}, own):
        from cnnbench.archs.weights.identify import identify

        raise ValueError(f"{path} does not fit {kind}: {problem}; {identify(file, model)}")
    if absent:
        weights.update({key: own[key] for key in absent})
        notes.append(f"its batch normalisations have no {COUNTER}, as before torch 0.4.1: counted from 0")
    if naming and naming.centred_zeros:
        weights = _old_channels_first(weights)
        notes.append("channels reordered: its shortcuts put zeros on both sides of the old channels, here on one")
    notes += _match_images(file, kind, path, normalised) if normalised is not None else []
    model.load_state_dict(weights)
    return notes


def read_weights(path: str | Path) -> WeightsFile:
    """The state dict in a file. Raises ValueError, in one sentence, if there is none; executes nothing."""
    content, arch, normalised = _read(Path(path))
    if isinstance(content, dict):
        if isinstance(content.get("arch"), str) and "config" in content:
            arch, normalised = content["arch"], _images(content["config"])
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{path} holds no state dict: neither bare nor under {', '.join(WRAPPERS)}")
    if not content:
        raise ValueError(f"{path} holds an empty state dict")
    weights = {re.sub(r"^((module|_orig_mod)\.)+", "", key): value for key, value in content.items()}
    return WeightsFile(weights, arch, normalised)


def torchvision_weights(name: str, source: str = "torchvision") -> Path:
    """The file of torchvision's weights for the network `name`, fetched into torch's hub cache if it is not there.

    `source`: "torchvision" for its first weights (IMAGENET1K_V1, by recipes near the papers'), or
    "torchvision:IMAGENET1K_V2" for others by their name. Raises ValueError if torchvision has none, or for a failure.
    """
    if name not in TORCHVISION:
        raise ValueError(f"torchvision has no weights of {name}; it has those of {', '.join(TORCHVISION)}")
    from torchvision.models import get_model_weights

    published = {str(entry.name): entry for entry in get_model_weights(TORCHVISION[name])}
    published = {key: entry for key, entry in published.items() if key.startswith("IMAGENET1K_V")}
    chosen = source.partition(":")[2] or "IMAGENET1K_V1"
    if chosen not in published:
        raise ValueError(f"torchvision has no weights {chosen} of {name}: choose one of {', '.join(published)}")
    url = published[chosen].url
    try:
        published[chosen].get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # anything between the network and the disk
        raise ValueError(f"cannot fetch {url}: {_first(error)}") from error
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(urlparse(url).path)


def renamed(weights: Weights, kind: str) -> tuple[Weights, Keymap | None]:
    """`weights` by the names of the class `kind`, and whose names they had if not these."""
    for naming in KEYMAPS.get(kind, ()):
        if not any(re.search(pattern, key) for pattern in naming.renames for key in weights):
            continue
        result = {}
        for key, value in weights.items():
            for pattern, replacement in naming.renames.items():
                key = re.sub(pattern, replacement, key)
            result[key] = value.flatten(1) if key in naming.flattened else value
        return result, naming
    return dict(weights), None


def _read(path: Path) -> tuple[object, str | None, Normalised | None]:
    """The content of a file, and the network and the images that the metadata of a safetensors file of ours names."""
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                weights, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
            return weights, about.get("arch"), _images({"arch": about})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that are refused below
            return torch.load(path, map_location="cpu", weights_only=True), None, None
    except FileNotFoundError as error:
        raise ValueError(f"there is no weights file {path}") from error
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ValueError(
                f"{path} holds Python objects ({found[1]}), not only tensors, and cnnbench executes none: save the "
                "state dict of the network instead"
            ) from error
        raise ValueError(f"{path} cannot be read as weights: it is no file of torch.save or safetensors") from error
    except Exception as error:  # neither library has a common type for what a damaged file makes it raise
        raise ValueError(
            f"{path} cannot be read as weights, it may be cut short or damaged: {_first(error)}"
        ) from error


def _images(config: Any) -> Normalised | None:
    """The mean and the deviation that a file of ours states, as numbers or as their text; None for anything else."""
    arch = config.get("arch") if isinstance(config, dict) else None
    if not isinstance(arch, dict):
        return None
    mean, std = (_of_channels(arch.get(name)) for name in ("mean", "std"))
    return None if mean is None or std is None else (mean, std)


def _of_channels(stated: Any) -> list[float] | None:
    """A number for each of one or three channels, from a list or its text; None for anything else."""
    with suppress(ValueError):
        stated = json.loads(stated) if isinstance(stated, str) else stated
    numbers = isinstance(stated, list) and all(isinstance(value, int | float) for value in stated)
    return stated if numbers and len(stated) in (1, 3) else None


def _match_auxiliary(weights: Weights, own: Weights, kind: str) -> list[str]:
    """Drop from `weights` the auxiliary heads that the network lacks, add those that it has alone; notes."""
    notes = []
    for head in AUXILIARY.get(kind, {}):
        theirs, ours = _below(head, weights), _below(head, own)
        if theirs and not ours:
            for key in theirs:
                del weights[key]
            notes.append(f"left out its auxiliary head {head}: the network is built without")
        elif ours and not theirs:
            weights.update({key: own[key] for key in ours})
            notes.append(f"it has no auxiliary head {head}: the network's is untrained")
    return notes


def _match_classifiers(weights: Weights, own: Weights, kind: str, path: str | Path, new_classifier: bool) -> list[str]:
    """Put the network's own start for classifiers in `weights` that are for another number of classes; notes."""
    notes = []
    for layer in (CLASSIFIERS.get(kind), *AUXILIARY.get(kind, {}).values()):
        keys = [key for key in _below(layer, own) if key in weights and own[key].dim()] if layer else []
        if all(weights[key].shape == own[key].shape for key in keys):
            continue
        if any(weights[key].shape[1:] != own[key].shape[1:] for key in keys):
            continue  # not only the classes differ: another network
        theirs, ours = len(weights[keys[0]]), len(own[keys[0]])
        if (theirs, ours) == (1001, 1000) and kind in BACKGROUND_FIRST:
            weights.update({key: weights[key][1:] for key in keys})
            notes.append(f"dropped the background, first of the 1001 classes of its {layer}")
        elif new_classifier:
            weights.update({key: own[key] for key in keys})
            notes.append(f"new classifier {layer}: {theirs} classes in the file, {ours} in the network")
        else:
            raise ValueError(
                f"{path} does not fit {kind}: its classifier {layer} has {theirs} classes in the file and {ours} in "
                "the network"
            )
    return notes


def _match_images(file: WeightsFile, kind: str, path: str | Path, normalised: Normalised) -> list[str]:
    """Raise ValueError if a file of ours states other images than those of `normalised`; a note where public weights
    expect others."""
    expected = file.normalised if file.arch is not None else NORMALISED.get(kind)
    if expected is None or all(map(_alike, expected, normalised)):
        return []
    words = [" ".join(map(_as_keys, ("arch.mean", "arch.std"), each)) for each in (expected, normalised)]
    if file.arch is None:
        return [f"public weights of this network expect images of {words[0]}, here they are of {words[1]}"]
    raise ValueError(f"{path} was trained on images of {words[0]}, not of {words[1]}: give the former")


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two means or deviations are the same: for each channel, or of the one that three make."""
    if len(one) != len(other):
        one, other = ([sum(values) / len(values)] for values in (one, other))
    return all(map(partial(math.isclose, rel_tol=1e-6), one, other))


def _as_keys(key: str, values: Sequence[float]) -> str:
    return f"{key}=[{','.join(f'{value:.6g}' for value in values)}]"


def _misfit(weights: Weights, own: Weights) -> str | None:
    """What keeps `weights` from being loaded, or None."""
    missing, unknown = [key for key in own if key not in weights], [key for key in weights if key not in own]
    if missing or unknown:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(unknown)} too many"] if unknown else []
        return f"it {' and '.join(parts)}"
    for key, value in own.items():
        if weights[key].shape != value.shape:
            return f"{key} is {tuple(weights[key].shape)} in the file and {tuple(value.shape)} in the network"
    return None


def _old_channels_first(weights: Weights) -> Weights:
    """The same function for shortcuts that put new channels after the old ones instead of half of them before.

    `weights`: of a network of basic blocks whose every stage after the first doubles the channels. Each stage's
    residual stream is permuted: the channels that come from the stage before to the front.
    """
    result = dict(weights)
    order = torch.arange(len(weights["bn1.weight"]))
    for stage in sorted({key.partition(".")[0] for key in weights if key.startswith("layer")}):
        for block in range(len({key.split(".")[1] for key in _below(stage, weights)})):
            unit = f"{stage}.{block}"
            result[f"{unit}.conv1.weight"] = weights[f"{unit}.conv1.weight"][:, order]
            width, old = len(weights[f"{unit}.conv2.weight"]), len(order)
            if width > old:
                before = (width - old) // 2
                order = torch.cat([order + before, torch.arange(before + old, width), torch.arange(before)])
            for name in (
                "conv2.weight",
                *(f"bn2.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
            ):
                result[f"{unit}.{name}"] = weights[f"{unit}.{name}"][order]
    result["fc.weight"] = weights["fc.weight"][:, order]
    return result


def _below(module: str, weights: Weights) -> list[str]:
    return [key for key in weights if key.startswith(f"{module}.")]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _first(error: Exception) -> str:
    """The first sentence of what a library says."""
    return (str(error).strip().splitlines() or ["unexpected end"])[0].partition(". ")[0]
