"""Blurred pooling: a map is blurred before a convolution leaves pixels of it out (Zhang 2019, Making Convolutional
Networks Shift-Invariant Again), in the form of ffcv-imagenet, whose figures for ResNets are of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

LEAST_CHANNELS = 16  # train_imagenet.py:337: not the stem's, which reads colours


class BlurredConv2d(nn.Conv2d):
    """A convolution of x (N, C, H, W) blurred, channel by channel, by [1, 2, 1] in both directions, zeros around it
    (train_imagenet.py:116). Deviation from Zhang 2019: there the convolution has stride 1, and the blur has the
    stride, and reflects. `weight` and `bias` are those of the convolution that it takes the place of."""

    blur_filter: torch.Tensor  # (C, 1, 3, 3), not in the state dict: it is the same in all

    def __init__(self, conv: nn.Conv2d) -> None:
        its: Any = conv  # whose tuples are typed as of any length
        window = dict(kernel_size=its.kernel_size, stride=its.stride, padding=its.padding, dilation=its.dilation)
        super().__init__(
            its.in_channels, its.out_channels, **window, groups=its.groups, device="meta"
        )  # no weights of its own
        self.weight, self.bias = conv.weight, conv.bias
        line = torch.tensor([1.0, 2.0, 1.0], device=conv.weight.device)
        blur = torch.outer(line, line) / 16
        self.register_buffer("blur_filter", blur.repeat(conv.in_channels, 1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.conv2d(x, self.blur_filter, padding=1, groups=self.in_channels))


def apply_blurpool(model: nn.Module, name: str) -> None:
    """Blur, in place, before every convolution with a stride that reads at least LEAST_CHANNELS channels
    (train_imagenet.py:335). Raises ValueError, in one sentence, if the network `name` has none."""
    strided = [
        (path, module)
        for path, module in model.named_modules()
        if type(module) is nn.Conv2d and max(module.stride) > 1 and module.in_channels >= LEAST_CHANNELS
    ]
    if not strided:
        raise ValueError(
            f"arch.blurpool acts on convolutions with a stride, and {name} has none: give arch.blurpool=false"
        )
    for path, conv in strided:
        model.set_submodule(path, BlurredConv2d(conv))
