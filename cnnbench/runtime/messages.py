"""Plain values as bytes and back, for what processes send each other: JSON and tensors, nothing that can run code.

A pickle that comes out of a socket runs what its sender wants, and a socket may be reached by others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

OUTLINE = "outline"  # the tensor that holds the JSON


def encode(value: Any) -> bytes:
    """`value`: None, numbers, texts, paths, tensors on the CPU, arrays, and lists and dicts (keys are texts) of these.

    TypeError for anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    outline = json.dumps(_outlined(value, tensors)).encode()
    return save(tensors | {OUTLINE: torch.frombuffer(bytearray(outline), dtype=torch.uint8)})


def decode(content: bytes) -> Any:
    """What `encode` was given; tuples come back as lists."""
    tensors = load(content)
    return _filled(json.loads(tensors.pop(OUTLINE).numpy().tobytes()), tensors)


def _outlined(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` for JSON: what that does not know as [kind, what], lists and dicts likewise, so that none is mistaken."""
    if isinstance(value, torch.Tensor | np.ndarray):
        name = str(len(tensors))
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        tensors[name] = torch.as_tensor(value).detach().clone(memory_format=torch.contiguous_format)
        return [kind, name]
    if isinstance(value, dict):
        return ["dict", {key: _outlined(item, tensors) for key, item in value.items()}]
    if isinstance(value, list | tuple):
        return ["list", [_outlined(item, tensors) for item in value]]
    return ["path", str(value)] if isinstance(value, Path) else value


def _filled(outline: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(outline, list):
        return outline
    kind, what = outline
    if kind == "dict":
        return {key: _filled(item, tensors) for key, item in what.items()}
    if kind == "list":
        return [_filled(item, tensors) for item in what]
    if kind == "path":
        return Path(what)
    return tensors[what] if kind == "tensor" else tensors[what].numpy()
