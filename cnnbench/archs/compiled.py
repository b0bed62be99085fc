"""A network behind torch.compile, and evaluation by it with one graph for all batches."""

from __future__ import annotations

import torch
from torch import nn


def compiled(model: nn.Module, mode: str = "default") -> nn.Module:
    """`model` behind torch.compile, compiled for each shape that it is called with; both have the same weights. `mode`:
    torch's; "reduce-overhead" replays CUDA graphs."""
    made = torch.compile(model, dynamic=False, mode=None if mode == "default" else mode)
    assert isinstance(made, nn.Module)  # as it is of a module; torch's annotation says a function
    return made


class WholeBatches(nn.Module):
    """`network` on batches of one size, that of the first: a smaller one, as the last, is filled up with its own first
    image, so that nothing is compiled again for it. For evaluation, where images of a batch know nothing of each other.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.size = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float (N, C, H, W) -> logits (N, classes), in memory of their own: a CUDA graph uses its own again."""
        self.size = self.size or len(x)
        if missing := max(0, self.size - len(x)):
            filled = torch.cat([x, x[:1].expand(missing, *x.shape[1:])])
            filled = filled.contiguous(memory_format=_layout(x))
        else:
            filled = x
        return self.network(filled)[: len(x)].clone()


def _layout(x: torch.Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format
