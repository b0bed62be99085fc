"""Activations that are computed again in the backward pass instead of kept (Chen et al.: Training Deep Nets with
Sublinear Memory Cost, 2016): the inputs of blocks stay, and one block at a time is there as a whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

POOLING = (nn.MaxPool2d, nn.AvgPool2d)


def apply_memory(model: nn.Module, memory: str) -> None:
    """In place: "save" has the blocks of `model` computed again in the backward pass, "keep" changes nothing.

    Gradients, running statistics and the state dict's keys stay the same. A block is a module that holds more than one
    layer (residual block, Inception module, dense layer), or those layers of a sequence that lead to a pooling.
    """
    if memory == "save":
        for child in model.children():
            _apply(child)


def recomputed(forward: Callable[..., Any], module: nn.Module, *inputs: Any) -> Any:
    """`forward(*inputs)`, a computation by `module` or parts of it, of which only the inputs are kept.

    The second time dropout draws the same numbers, and running statistics are left alone: each batch counts once.
    """
    # torch.compile does not accept such a context and does not need it: it recomputes values, not updates.
    if torch.compiler.is_compiling():
        return checkpoint(forward, *inputs, use_reentrant=False)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _Still(module)))


class _Still(AbstractContextManager[None]):
    """What changes buffers below `module`, as batch normalisation its statistics, changes copies of them.

    It can be entered again, for a second backward pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __enter__(self) -> None:
        self.buffers = [(part, dict(part.named_buffers(recurse=False))) for part in self.module.modules()]
        for part, buffers in self.buffers:
            for name, buffer in buffers.items():
                setattr(part, name, buffer.clone())

    def __exit__(self, *_: object) -> None:
        for part, buffers in self.buffers:
            for name, buffer in buffers.items():
                setattr(part, name, buffer)


def _apply(module: nn.Module) -> None:
    """Let `module` be computed again, or the blocks in it, if it has convolutions to save."""
    if _is_layer(module) or not any(isinstance(layer, nn.Conv2d) for layer in module.modules()):
        return
    if isinstance(module, nn.Sequential | nn.ModuleList):
        for child in module:
            _apply(child)
        if type(module) is nn.Sequential:
            _replace_forward(module, partial(_by_parts, module))
    else:
        _replace_forward(module, partial(_whole, module))


def _replace_forward(module: nn.Module, forward: partial[Any]) -> None:
    """Have `module` computed by `forward`: a partial of it, not a closure, so that a deep copy calls its own layers."""
    module.forward = forward


def _whole(module: nn.Module, *inputs: Any) -> Any:
    forward = partial(type(module).forward, module)
    return recomputed(forward, module, *inputs) if _keeps(module) else forward(*inputs)


def _by_parts(sequence: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    for part in _parts(sequence):
        x = recomputed(part, part, x) if len(part) > 1 and _keeps(sequence) else part(x)
    return x


def _keeps(module: nn.Module) -> bool:
    """Whether its activations are kept for a backward pass."""
    return module.training and torch.is_grad_enabled()


def _parts(sequence: nn.Sequential) -> list[nn.Sequential]:
    """`sequence` cut after each pooling, and around blocks, which see to themselves."""
    parts: list[list[nn.Module]] = [[]]
    for layer in sequence:
        if not _is_layer(layer):
            parts += [[layer], []]
        else:
            parts[-1].append(layer)
            if isinstance(layer, POOLING):
                parts.append([])
    return [nn.Sequential(*part) for part in parts if part]


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None
