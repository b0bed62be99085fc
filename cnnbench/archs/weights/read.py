"""What a weights file holds: every tensor by its full name, in whatever nesting it lies; nothing in it is executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.archs.weights.forms import Content, read_content
from cnnbench.archs.weights.pickles import Foreign
from cnnbench.config.arch import INTERPOLATIONS
from cnnbench.runtime.sealed import other_format

COUNTER = "num_batches_tracked"  # of batch normalisation; files from before torch 0.4.1 lack it
DEEPEST = 40  # dictionaries within each other; what is deeper holds no network
# Parts of names that torch's own wrappers of single modules leave in the middle.
WRAPPERS = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module")
MODULE_PARTS = ("_parameters", "_buffers", "_modules")  # attributes in which a pickled nn.Module holds its tensors

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class WeightsFile:
    """The tensors of a file on the CPU, by their full names: those of the dictionaries and objects around them, and
    their own, joined by dots.

    `holders`: the full names, each with a dot behind it, of what holds tensors; "" is the file itself. If cnnbench
    wrote the file, `arch` is the key of the network, `stated` the values of its keys that the file has, of STATED, and
    `classes` the names of its classes in the order of the logits, if it has them.
    """

    tensors: Weights
    holders: tuple[str, ...]
    arch: str | None = None
    stated: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None


def read_weights(path: str | Path) -> WeightsFile:
    """All tensors in a file. Raises ValueError, in one sentence, if there are none; executes nothing."""
    read = read_content(Path(path))
    arch, stated = _of_ours(read, path)
    tensors: Weights = {}
    holders: dict[str, None] = {}
    for holder, name, tensor in _with_averages(list(_tensors(read.content, "", 0, set()))):
        holders[holder] = None
        tensors[holder + ".".join(part for part in name.split(".") if part not in WRAPPERS)] = tensor
    if not tensors:
        empty = "an empty state dict" if isinstance(read.content, dict) and not read.content else "no state dict"
        raise ValueError(f"{path} holds {empty}: it has no tensors with names")
    classes = _classes_of_ours(read) if arch is not None else None
    return WeightsFile(tensors, tuple(holders), arch, stated, classes)


def _tensors(content: Any, holder: str, depth: int, seen: set[int]) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Each tensor in `content`: the full name of what holds it, with a dot behind it, its name there, and itself.

    `seen`: ids of the objects that were gone through: a pickle can hold one often, also within itself.
    """
    if id(content) in seen or depth > DEEPEST:
        return
    if isinstance(content, Mapping | list | tuple | Foreign):
        seen.add(id(content))
    for name, value in _items(content):
        if (tensor := _as_tensor(value)) is not None:
            yield holder, name, tensor
        else:
            yield from _tensors(value, f"{holder}{name}.", depth + 1, seen)


def _with_averages(found: list[tuple[str, str, torch.Tensor]]) -> Iterator[tuple[str, str, torch.Tensor]]:
    """`found`, with a holder of their own for averages that stand beside the weights as ema_conv1_weight: mmcv's."""
    plain = {(holder, f"ema_{name.replace('.', '_')}"): name for holder, name, _ in found}
    for holder, name, tensor in found:
        averaged = plain.get((holder, name))
        beside = f"{holder[:-1]}_ema." if holder else "ema."
        yield (holder, name, tensor) if averaged is None else (beside, averaged, tensor)


def _items(content: Any) -> Iterator[tuple[str, Any]]:
    """The names and values in a dictionary, a list or an object that was not read; a module's without MODULE_PARTS."""
    if isinstance(content, Foreign):
        states = content.state if isinstance(content.state, tuple) else (content.state,)
        for part in (*states, content.items):
            yield from _items(part)
    elif isinstance(content, Mapping):
        for name, value in content.items():
            if name in MODULE_PARTS:
                yield from _items(value)
            else:
                yield str(name), value
    elif isinstance(content, list | tuple):
        yield from ((str(number), value) for number, value in enumerate(content))


def _as_tensor(value: Any) -> torch.Tensor | None:
    """A tensor, or an array of numbers as one; None for anything else."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.array(value))  # a copy: an array of a file cannot be written
    return None


def _of_ours(read: Content, path: str | Path) -> tuple[str | None, dict[str, Any]]:
    """The network's key, and what a file of ours states of it. Raises ValueError if another version wrote it."""
    content = read.content
    if isinstance(content, dict) and isinstance(content.get("arch"), str) and "config" in content:
        if "format" in content and (problem := other_format(content)):
            raise ValueError(f"{path} {problem}: read it with the version that wrote it")
        config = content["config"] if isinstance(content["config"], dict) else {}
        about = config.get("arch")
        about = about if isinstance(about, dict) else {}
        return content["arch"], _stated({**about, "image_size": config.get("image_size")})
    if not {"arch", "mean", "options"} <= set(read.about):  # others may call something `arch` too
        return None, {}
    return read.about["arch"], _stated(read.about)


def _classes_of_ours(read: Content) -> tuple[str, ...] | None:
    """The names of the classes in a checkpoint of ours, or in what a file that we wrote says of itself."""
    classes = read.content.get("classes") if isinstance(read.content, dict) else None
    with suppress(ValueError):
        classes = json.loads(read.about["classes"]) if "classes" in read.about else classes
    if not isinstance(classes, list | tuple) or not all(isinstance(each, str) for each in classes):
        return None
    return tuple(classes) or None


def _stated(about: dict[str, Any]) -> dict[str, Any]:
    """The values of STATED in `about`, as they are or as their text; what is something else is left out."""
    stated = {}
    for name, check in STATED.items():
        value = about.get(name)
        with suppress(ValueError):
            value = json.loads(value) if isinstance(value, str) and name != "interpolation" else value
        if check(value):
            stated[name] = value
    return stated


def _is_of_channels(value: Any) -> bool:
    """Whether it is a number for each of one or three channels."""
    return isinstance(value, list) and len(value) in (1, 3) and all(isinstance(each, int | float) for each in value)


# What a file of ours says of its network, by the names of the keys of `arch` -> whether a value is one.
STATED: dict[str, Callable[[Any], bool]] = {
    "image_size": lambda value: isinstance(value, int) and value > 0,
    "crop_ratio": lambda value: isinstance(value, float) and 0 < value <= 1,
    "interpolation": lambda value: value in INTERPOLATIONS,
    "mean": _is_of_channels,
    "std": _is_of_channels,
    "in_channels": lambda value: value in (1, 3),
    "bn_epsilon": lambda value: isinstance(value, float) and value > 0,
    "options": lambda value: isinstance(value, dict),
}
