"""Blocks that the networks of the Inception papers share: the convolution unit, chains and parallel branches of it."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from cnnbench.archs.conventions import SameConv2d

# A convolution in the tables of this family: output channels, kernel[, stride[, padding]], as BasicConv takes them.
Padding = int | Literal["same"]
Conv = tuple[int, int | tuple[int, int]] | tuple[int, int, int] | tuple[int, int, int, Padding]


class BasicConv(nn.Module):
    """Convolution, batch normalisation, ReLU; with `batch_norm=False` convolution with bias, ReLU.

    `kernel`: side, or (height, width). `padding` None keeps the size at stride 1 (half the kernel); 0 is the papers'
    "V", and "same" TensorFlow's. Epsilon of batch normalisation: 1e-3 in the authors' code and in torchvision.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: Padding | None = None,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        if padding == "same":
            self.conv: nn.Conv2d = SameConv2d(channels, out, (height, width), stride, bias=not batch_norm)
        else:
            around = (height // 2, width // 2) if padding is None else padding
            self.conv = nn.Conv2d(channels, out, (height, width), stride, around, bias=not batch_norm)
        self.bn = nn.BatchNorm2d(out, eps=1e-3) if batch_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.bn(self.conv(x)))


class Concat(nn.Module):
    """Named branches side by side over the same input, their outputs concatenated along the channels."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def chain(channels: int, *convs: Conv, batch_norm: bool = True) -> nn.Module:
    """One branch: convolution units in a row, from `channels` input channels; a single one stands for itself."""
    units = []
    for conv in convs:
        out, kernel = conv[0], conv[1]
        stride = conv[2] if len(conv) > 2 else 1
        padding = conv[3] if len(conv) > 3 else None
        units.append(BasicConv(channels, out, kernel, stride, padding, batch_norm))
        channels = out
    return units[0] if len(units) == 1 else nn.Sequential(*units)


def reduction_a(channels: int, k: int, l: int, m: int, n: int) -> Concat:  # noqa: E741 (the paper's letters)
    """35x35 to 17x17 reduction of Szegedy et al. 2016b, Figure 7 and Table 1: `channels` -> n + m + `channels`."""
    return Concat(
        branch0=chain(channels, (n, 3, 2, 0)),
        branch1=chain(channels, (k, 1), (l, 3), (m, 3, 2, 0)),
        branch2=nn.MaxPool2d(3, stride=2),
    )


def pool_projection(channels: int, out: int) -> nn.Sequential:
    """3x3 average pool without the padding in its mean (as the authors' code averages), 1x1 convolution to `out`."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), BasicConv(channels, out, 1))


def truncated_normal(weight: torch.Tensor, std: float) -> None:
    """N(0, std^2) cut at two standard deviations, TensorFlow's truncated normal."""
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def variance_scaling(weight: torch.Tensor) -> None:
    """He initialisation over the fan-in, of deviation sqrt(2 / fan_in) after a cut at two (tf_slim,
    layers/initializers.py:146), which the scope of slim's Inception networks gives convolutions."""
    truncated_normal(weight, math.sqrt(1.3 * 2 / weight[0].numel()))
