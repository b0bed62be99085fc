"""Weights from a checkpoint file into a network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load the weights in `path` into `model`, in place; every key has to fit.

    Takes .safetensors, and .pt or .pth files that hold a state dict, bare or under "model" or "state_dict". Pickles
    are read as tensors and plain values only. Raises ValueError, in one sentence, for a file that cannot be read or
    does not fit.
    """
    weights = read_weights(path)
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    if missing or unknown:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(unknown)} too many"] if unknown else []
        raise ValueError(f"{path} does not fit {type(model).__name__}: it {' and '.join(parts)}")
    for name, value in own.items():
        if value.shape != weights[name].shape:
            raise ValueError(
                f"{path} does not fit {type(model).__name__}: {name} is {tuple(weights[name].shape)} in the file "
                f"and {tuple(value.shape)} in the network"
            )
    model.load_state_dict(weights)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a file, by parameter name, on the CPU."""
    try:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # neither library has a common type for what a damaged file makes it raise
        raise ValueError(f"{path} cannot be read as weights: {str(error).strip().splitlines()[0]}") from error
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{path} holds no state dict")
    return content


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
