"""What a recipe may say of the blocks of any residual network, set after it was built."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnbench.archs.layers import StochasticDepth
from cnnbench.config.arch import ArchConfig


def apply_block_keys(model: nn.Module, arch: ArchConfig) -> None:
    """Set, in place, what `arch` says of residual blocks beyond the network's own switches; nothing without blocks."""
    if arch.stochastic_depth is not None and arch.stochastic_depth_from == "first_block":
        depths = [module for module in model.modules() if isinstance(module, StochasticDepth)]
        for number, depth in enumerate(depths):
            depth.p = arch.stochastic_depth * number / max(1, len(depths) - 1)  # timm/models/resnet.py, line 416
    if arch.zero_init:
        for module in model.modules():
            if isinstance(getattr(module, "stochastic_depth", None), StochasticDepth):
                _start_at_zero(module)


@torch.no_grad()
def _start_at_zero(block: Any) -> None:
    """Let the branch of a block start at 0: by the scale that ends it, or the convolution that does in a
    pre-activation block. A plain network's block has no shortcut and is left as it is."""
    norm = getattr(block, "last_norm", None)
    if norm is None:
        last = [layer for name, layer in block.named_children() if name.startswith("conv")][-1]
    elif getattr(block, "downsample", None) is None:
        return
    else:
        last = norm()
    if not last.weight.is_meta:
        last.weight.zero_()
