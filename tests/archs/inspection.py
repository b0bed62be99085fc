"""What the tests of networks with auxiliary heads measure beside checks.py: shapes, gradients, equal outputs."""

from __future__ import annotations

import functools
from typing import Any

import torch
from checks import build_meta
from torch import nn


def stage_shapes(network: nn.Module, size: int, stages: list[str]) -> dict[str, tuple[int, ...]]:
    """Output shape (C, H, W) of each submodule named in `stages`, for images of side `size`."""
    shapes = {}
    for stage in stages:

        def record(module: nn.Module, inputs: object, output: torch.Tensor, stage: str = stage) -> None:
            shapes[stage] = tuple(output.shape[1:])

        network.get_submodule(stage).register_forward_hook(record)
    network(torch.empty(1, 3, size, size, device="meta"))
    return shapes


def random_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict with the shapes of `network`, random so that activations neither vanish nor explode.

    Weights are shared between calls and must not be changed; biases, scales and running statistics are new tensors.
    """
    state = {}
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            state[name] = _weight(tensor.shape)
        elif tensor.dim() == 1:
            state[name] = 0.5 + _noise(tensor.numel()).sigmoid()  # positive, for running variances
        else:
            state[name] = torch.tensor(0)
    return state


@functools.cache
def _weight(shape: torch.Size) -> torch.Tensor:
    return _noise(shape.numel()).mul_((2 / shape[1:].numel()) ** 0.5).reshape(shape)  # He initialisation


def _noise(size: int) -> torch.Tensor:
    noise = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))  # a prime, so that no two rows repeat
    return noise.repeat(size // len(noise) + 1)[:size]


def check_same_outputs(name: str, reference: nn.Module, size: int, **options: Any) -> None:
    """Load one random state dict into `reference` (on meta) and into our network; both modes must agree exactly enough.

    In training mode the outputs (auxiliary ones in our order, shallow first) and the running statistics are compared.
    """
    ours = build_meta(name, **options)
    for network in (ours, reference):
        network.load_state_dict(random_state(reference), strict=True, assign=True)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), reference.eval()(images))
        torch.testing.assert_close(_ordered(ours.train()(images)), _ordered(reference.train()(images)))
    torch.testing.assert_close(dict(ours.named_buffers()), dict(reference.named_buffers()))


def _ordered(outputs: Any) -> tuple[torch.Tensor, ...]:
    """Outputs as (logits, *aux_logits), shallow first: torchvision's GoogLeNet puts the second head first."""
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    if hasattr(outputs, "aux_logits2"):
        return (outputs.logits, outputs.aux_logits1, outputs.aux_logits2)
    return tuple(outputs)
