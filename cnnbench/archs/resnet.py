"""ResNet and its plain twin. He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, Table 1.

| stage   | output (224x224) | 18            | 34           | 50                              | 101 | 152 |
|---------|------------------|---------------|--------------|---------------------------------|-----|-----|
| conv1   | 112x112          | 7x7 / 2, 64   | 7x7 / 2, 64  | 7x7 / 2, 64                     |     |     |
| pool    | 56x56            | max 3x3 / 2   | max 3x3 / 2  | max 3x3 / 2                     |     |     |
| conv2_x | 56x56            | [3x3 64]x2 x2 | ... x3       | [1x1 64, 3x3 64, 1x1 256] x3    | x3  | x3  |
| conv3_x | 28x28            | [3x3 128]x2 x2| ... x4       | [1x1 128, 3x3 128, 1x1 512] x4  | x4  | x8  |
| conv4_x | 14x14            | [3x3 256]x2 x2| ... x6       | [1x1 256, 3x3 256, 1x1 1024] x6 | x23 | x36 |
| conv5_x | 7x7              | [3x3 512]x2 x2| ... x3       | [1x1 512, 3x3 512, 1x1 2048] x3 | x3  | x3  |
| head    | 1x1              | global average, fully connected                                            |||||

A plain network (Figure 3, middle) is the same without shortcuts. Wide ResNet, ResNeXt and the networks for CIFAR are
this class with other arguments: wide_resnet.py, resnext.py, cifar_resnet.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cnnbench.archs.conventions import set_norms
from cnnbench.archs.layers import (
    Networks,
    StochasticDepth,
    initialise_residual,
    require_choice,
    set_stochastic_depth,
    stage_widths,
    stem_layers,
)
from cnnbench.archs.network import Network

WIDTHS = (64, 128, 256, 512)  # of the four stages; a bottleneck block gives four times as many channels


class ResNet(Network):
    """Residual network of post-activation blocks: convolution, batch normalisation, and ReLU after the addition.

    `depths`, `widths`: number of blocks and width of each stage. `widen` multiplies the widths but not the stem, which
    has `widths[0]` channels. `stem`: "imagenet" or "cifar" (layers.stem_layers).
    `shortcut`: "B" (default: identity, and a 1x1 convolution where the shape changes), "A" (no parameters: strided
    subsampling, zeros in the new channels), "C" (1x1 convolution at every block), "none" (a plain network).
    `stride_in`: "3x3" (default; fb.resnet.torch, torchvision and the ResNeXt paper: "v1.5") or "1x1" (the paper: "v1")
    is the convolution that halves the map in a bottleneck block. `groups` and `base_width` (ResNeXt's cardinality C
    and width d) give its 3x3 convolution groups x floor(width x base_width / 64) channels.
    `dropout` (not in the paper) acts before the classifier. `stochastic_depth` (not in the paper) is the probability of
    leaving out the last block in training (layers.StochasticDepth). `conv_bias`, `epsilon`: biases under batch
    normalisation, and its epsilon; Keras's ResNets have them and 1.001e-5, with the stride in the 1x1. `init`: a start
    of layers.initialise_residual.
    """

    CLASSIFIER = "fc"

    def __init__(
        self,
        block: type[Basic] | type[Bottleneck],
        depths: tuple[int, ...],
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
        widths: tuple[int, ...] = WIDTHS,
        widen: float = 1.0,
        stem: str = "imagenet",
        shortcut: str = "B",
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
        stochastic_depth: float = 0.0,
        conv_bias: bool = False,
        epsilon: float = 1e-5,
        init: str = "fan_out",
    ) -> None:
        super().__init__()
        require_choice("resnet", "shortcut", shortcut, ("A", "B", "C", "none"))
        if stochastic_depth and shortcut == "none":
            raise ValueError("stochastic_depth needs shortcuts: without them a block left out would leave nothing")
        bottleneck_options = _bottleneck_options(block, stride_in, groups, base_width)
        channels = widths[0]
        self.conv1, self.maxpool = stem_layers("resnet", stem, in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.stages = [f"layer{i + 1}" for i in range(len(depths))]
        for stage, width, depth in zip(self.stages, stage_widths("resnet", depths, widths, widen), depths, strict=True):
            blocks = []
            for j in range(depth):
                stride = 2 if stage != "layer1" and j == 0 else 1
                blocks.append(block(channels, width, stride, shortcut, **bottleneck_options))
                channels = width * block.expansion
            self.add_module(stage, nn.Sequential(*blocks))
        set_stochastic_depth([block for stage in self.stages for block in getattr(self, stage)], stochastic_depth)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        set_norms(self, epsilon, conv_bias)
        initialise_residual("resnet", self, init)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.dropout(x.mean((2, 3))))


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut (paper, Figure 5 left)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(shortcut, channels, width, stride)
        self.stochastic_depth = StochasticDepth(0.0)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.stochastic_depth(self.bn2(self.conv2(y)))
        return self.relu(y if self.downsample is None else y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (paper, Figure 5 right); with groups, ResNeXt's block (Figure 3c)."""

    expansion = 4

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        shortcut: str = "B",
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        inner = groups * (width * base_width // 64)
        if groups < 1 or inner < 1:
            raise ValueError(f"no block of width {width} has {groups} groups of base width {base_width}: too small")
        self.conv1 = nn.Conv2d(channels, inner, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=second, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(shortcut, channels, 4 * width, stride)
        self.stochastic_depth = StochasticDepth(0.0)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.stochastic_depth(self.bn3(self.conv3(y)))
        return self.relu(y if self.downsample is None else y + self.downsample(x))


class PaddedIdentity(nn.Module):
    """Shortcut option A: every `stride`-th pixel, and zeros for the `new` channels after the old ones (section 3.3)."""

    def __init__(self, stride: int, new: int) -> None:
        super().__init__()
        self.stride = stride
        self.new = new

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))


def _bottleneck_options(block: type[nn.Module], stride_in: str, groups: int, base_width: int) -> dict[str, Any]:
    """The arguments that only a bottleneck block takes, checked."""
    require_choice("resnet", "stride_in", stride_in, ("3x3", "1x1"))
    if block is Bottleneck:
        return dict(stride_in=stride_in, groups=groups, base_width=base_width)
    if (stride_in, groups, base_width) != ("3x3", 1, 64):
        raise ValueError("basic blocks take no stride_in, groups or base_width: only bottleneck blocks do")
    return {}


def _shortcut(option: str, channels: int, out: int, stride: int) -> nn.Module | None:
    """The shortcut of a block by the option of the paper's section 4.1 that ResNet names."""
    if option == "none":
        return None
    if option != "C" and stride == 1 and channels == out:
        return nn.Identity()
    if option != "A":
        return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))
    if channels > out:
        raise ValueError(f"shortcut A only adds channels: it cannot lead {channels} channels to {out}")
    return PaddedIdentity(stride, out - channels)


DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BASIC = {depth: dict(block=Basic, depths=DEPTHS[depth]) for depth in (18, 34)}
BOTTLENECK = {depth: dict(block=Bottleneck, depths=DEPTHS[depth]) for depth in (50, 101, 152)}

NETWORKS: Networks = {
    "plain18": (ResNet, {**BASIC[18], "shortcut": "none"}),
    "plain34": (ResNet, {**BASIC[34], "shortcut": "none"}),
    "resnet18": (ResNet, BASIC[18]),
    "resnet34": (ResNet, BASIC[34]),
    "resnet50": (ResNet, BOTTLENECK[50]),
    "resnet101": (ResNet, BOTTLENECK[101]),
    "resnet152": (ResNet, BOTTLENECK[152]),
    "resnet50_v1": (ResNet, {**BOTTLENECK[50], "stride_in": "1x1"}),
    "resnet101_v1": (ResNet, {**BOTTLENECK[101], "stride_in": "1x1"}),
    "resnet152_v1": (ResNet, {**BOTTLENECK[152], "stride_in": "1x1"}),
}
