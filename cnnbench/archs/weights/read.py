"""What a weights file holds: every tensor by its full name, in whatever nesting it lies; nothing in it is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.archs.weights.forms import Content, read_content
from cnnbench.archs.weights.pickles import Foreign
from cnnbench.runtime.sealed import other_format

COUNTER = "num_batches_tracked"  # of batch normalisation; files from before torch 0.4.1 lack it
DEEPEST = 40  # dictionaries within each other; what is deeper holds no network
# Parts of names that torch's own wrappers of single modules leave in the middle.
WRAPPERS = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module")
MODULE_PARTS = ("_parameters", "_buffers", "_modules")  # attributes in which a pickled nn.Module holds its tensors

Weights = dict[str, torch.Tensor]
MeanAndStd = tuple[Sequence[float], Sequence[float]]  # mean and deviation of images, in [0, 1], for each channel


@dataclass(frozen=True)
class WeightsFile:
    """The tensors of a file on the CPU, by their full names: those of the dictionaries and objects around them, and
    their own, joined by dots.

    `holders`: the full names, each with a dot behind it, of what holds tensors; "" is the file itself. If cnnbench
    wrote the file, `arch` is the key of the network, and `normalised` the mean and the deviation of its images, in
    [0, 1], for each channel.
    """

    tensors: Weights
    holders: tuple[str, ...]
    arch: str | None = None
    normalised: MeanAndStd | None = None


def read_weights(path: str | Path) -> WeightsFile:
    """All tensors in a file. Raises ValueError, in one sentence, if there are none; executes nothing."""
    read = read_content(Path(path))
    arch, normalised = _of_ours(read, path)
    tensors: Weights = {}
    holders: dict[str, None] = {}
    for holder, name, tensor in _tensors(read.content, "", ()):
        holders[holder] = None
        tensors[holder + ".".join(part for part in name.split(".") if part not in WRAPPERS)] = tensor
    if not tensors:
        empty = "an empty state dict" if read.content == {} else "no state dict"
        raise ValueError(f"{path} holds {empty}: it has no tensors")
    return WeightsFile(tensors, tuple(holders), arch, normalised)


def _tensors(content: Any, holder: str, above: tuple[int, ...]) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Each tensor in `content`: the full name of what holds it, with a dot behind it, its name there, and itself.

    `above`: the objects in which `content` lies, by their ids; a pickle can hold itself.
    """
    if id(content) in above or len(above) > DEEPEST:
        return
    above = (*above, id(content))
    for name, value in _items(content):
        if (tensor := _as_tensor(value)) is not None:
            yield holder, name, tensor
        else:
            yield from _tensors(value, f"{holder}{name}.", above)


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


def _of_ours(read: Content, path: str | Path) -> tuple[str | None, MeanAndStd | None]:
    """The network's key and the images that a file of ours states. Raises ValueError if another version wrote it."""
    content = read.content
    if isinstance(content, dict) and isinstance(content.get("arch"), str) and "config" in content:
        if "format" in content and (problem := other_format(content)):
            raise ValueError(f"{path} {problem}: read it with the version that wrote it")
        return content["arch"], _images(content["config"])
    return read.about.get("arch"), _images({"arch": read.about})


def _images(config: Any) -> MeanAndStd | None:
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
