"""What the tests of networks with auxiliary heads measure beside checks.py: shapes, gradients, equal outputs."""

from __future__ import annotations

from typing import Any

import torch
from checks import build_meta, drawn_state
from meta import on_meta
from torch import nn


def stage_shapes(network: nn.Module, size: int, stages: list[str]) -> dict[str, tuple[int, ...]]:
    """Output shape (C, H, W) of each submodule named in `stages`, for images of side `size`."""
    shapes = {}
    for stage in stages:

        def record(module: nn.Module, inputs: object, output: torch.Tensor, stage: str = stage) -> None:
            shapes[stage] = tuple(output.shape[1:])

        network.get_submodule(stage).register_forward_hook(record)
    on_meta(network, size)
    return shapes


def check_same_outputs(
    name: str, reference: nn.Module, size: int, eval_size: int | None = None, **options: Any
) -> None:
    """Load one drawn state dict into `reference` (on meta) and into our network; both modes must agree exactly enough.

    In training mode the outputs (auxiliary ones in our order, shallow first) and the running statistics are compared.
    `eval_size`: the side of the images in eval mode, where it need not be `size`.
    """
    ours = build_meta(name, **options)
    state = drawn_state(reference)
    for network in (ours, reference):
        own = {key: value if value.dim() > 1 else value.clone() for key, value in state.items()}
        network.load_state_dict(own, strict=True, assign=True)
    draw = torch.Generator().manual_seed(1)
    images, others = (torch.randn(2, 3, side, side, generator=draw) for side in (size, eval_size or size))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(others), reference.eval()(others))
        torch.testing.assert_close(_ordered(ours.train()(images)), _ordered(reference.train()(images)))
    torch.testing.assert_close(dict(ours.named_buffers()), dict(reference.named_buffers()))


def _ordered(outputs: Any) -> tuple[torch.Tensor, ...]:
    """Outputs as (logits, *aux_logits), shallow first: torchvision's GoogLeNet puts the second head first."""
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    if hasattr(outputs, "aux_logits2"):
        return (outputs.logits, outputs.aux_logits1, outputs.aux_logits2)
    return tuple(outputs)
