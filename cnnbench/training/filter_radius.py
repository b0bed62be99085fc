"""The limit on a convolution's filters after each step, as ZFNet was trained."""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.zfnet import renormalise_filters


@torch.no_grad()
def limit_filters(model: nn.Module, radius: float) -> None:
    """Bring every filter of a convolution with a root mean square above `radius` down to it, in place (Zeiler, Fergus
    2014, section 3), but for those that are frozen."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.requires_grad:
            module.weight.copy_(renormalise_filters(module.weight, radius))
