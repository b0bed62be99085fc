"""What a weights file holds, without wrappers and prefixes; nothing in it is executed."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnnbench.runtime.errors import first_sentence

WRAPPERS = ("model", "state_dict", "model_state", "model_state_dict")
COUNTER = "num_batches_tracked"  # of batch normalisation; files from before torch 0.4.1 lack it

Weights = dict[str, torch.Tensor]
MeanAndStd = tuple[Sequence[float], Sequence[float]]  # mean and deviation of images, in [0, 1], for each channel


@dataclass(frozen=True)
class WeightsFile:
    """A state dict without wrappers and prefixes, on the CPU.

    If cnnbench wrote it, `arch` is the key of the network, and `normalised` the mean and the deviation of its images,
    in [0, 1], for each channel.
    """

    weights: Weights
    arch: str | None = None
    normalised: MeanAndStd | None = None


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


def _read(path: Path) -> tuple[object, str | None, MeanAndStd | None]:
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
        raise ValueError(f"{path} cannot be read as weights: it is not a file of torch.save or safetensors") from error
    except Exception as error:  # neither library has a common type for what a damaged file makes it raise
        raise ValueError(
            f"{path} cannot be read as weights, it may be cut short or damaged: {first_sentence(error)}"
        ) from error


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
