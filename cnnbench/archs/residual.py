"""What a recipe may say of the blocks of any residual network, set after it was built."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnbench.archs.layers import StochasticDepth
from cnnbench.config.arch import ArchConfig


def apply_block_keys(model: nn.Module, arch: ArchConfig) -> None:
    """Set, in place, what `arch` says of residual blocks beyond the network's own switches. Raises ValueError, in one
    sentence, for a start at zero where there is no shortcut."""
    if arch.stochastic_depth is not None and arch.stochastic_depth_from == "first_block":
        depths = [module for module in model.modules() if isinstance(module, StochasticDepth)]
        for number, depth in enumerate(depths):
            depth.p = arch.stochastic_depth * number / max(1, len(depths) - 1)  # timm/models/resnet.py, line 416
    if arch.zero_init:
        blocks = [module for module in model.modules() if _has_shortcut(module)]
        if not blocks:
            raise ValueError(
                f"arch.zero_init acts on blocks with shortcuts, and {arch.name} has none: give arch.zero_init=false"
            )
        for block in blocks:
            _start_at_zero(block)


def _has_shortcut(module: nn.Module) -> bool:
    """Whether `module` is a residual block: that of a plain network has no `downsample`, not even an identity."""
    if not isinstance(getattr(module, "stochastic_depth", None), StochasticDepth):
        return False
    return not hasattr(module, "last_norm") or getattr(module, "downsample", None) is not None


@torch.no_grad()
def _start_at_zero(block: Any) -> None:
    """Let the branch of a block start at 0: by the scale that ends it (Goyal et al. 2017, section 5.1), or the
    convolution that does in a pre-activation block."""
    if hasattr(block, "last_norm"):
        last = block.last_norm()
    else:
        last = [layer for name, layer in block.named_children() if name.startswith("conv")][-1]
    if not last.weight.is_meta:
        last.weight.zero_()
