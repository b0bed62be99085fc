"""Pre-activation ResNet. He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, ECCV 2016.

Stages and depths are those of ResNet (resnet.py, Table 1); the order inside differs (Figure 4e and appendix):

| part     | specification                                                                    |
|----------|----------------------------------------------------------------------------------|
| stem     | 7x7 / 2, 64, directly followed by max pool 3x3 / 2                               |
| block    | BN, ReLU, conv; BN, ReLU, conv (bottleneck: once more); added to the shortcut    |
| shortcut | identity of the block's input; where the shape changes, a 1x1 convolution        |
| head     | BN, ReLU, global average, fully connected                                        |

For CIFAR (section 4.1, appendix) the stem is a 3x3 convolution alone, and three stages at 32x32, 16x16 and 8x8 have n
blocks each:

| network           | n   | blocks of the three stages                | shortcuts that widen           |
|-------------------|-----|-------------------------------------------|--------------------------------|
| preact_resnet110  | 18  | [3x3 w]x2 for w = 16, 32, 64              | option A: zeros, no parameters |
| preact_resnet164  | 18  | [1x1 w, 3x3 w, 1x1 4w] for w = 16, 32, 64 | option B: 1x1 convolution      |
| preact_resnet1001 | 111 | the same                                  | option B                       |

cifar_preact_resnet18 is preact_resnet18 with that stem, so that its four stages see 32x32 to 4x4: pytorch-cifar's, in
which most weights are published (github.com/kuangliu/pytorch-cifar).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnbench.archs.conventions import set_norms
from cnnbench.archs.layers import (
    Networks,
    StochasticDepth,
    fan_in_uniform,
    he_normal,
    initialise,
    require_choice,
    set_stochastic_depth,
    stage_widths,
    stem_layers,
)
from cnnbench.archs.resnet import DEPTHS, WIDTHS, PaddedIdentity


class PreActResNet(nn.Module):
    """Residual network of pre-activation blocks; nothing but additions on the way between shape changes.

    `depths`, `widths`, `widen`, `stem`: as in resnet.ResNet. `dropout` (not in the paper) acts before the classifier,
    `block_dropout` before the last convolution of each block (Wide ResNet, section 2.4). `stochastic_depth` (not in the
    paper) is the probability of leaving out the last block in training (layers.StochasticDepth).

    `stride_in`: the convolution of a block that halves the map, "conv1" or "conv2"; null is the block's own, the first
    of two and the second of three (fb.resnet.torch). `shortcut`: "B" (default) or "A", as in resnet.ResNet.
    `shortcut_from`: a convolution in a shortcut sees the "activated" tensor (default; the paper) or the "input".
    `first_activation`: in the first block only the "branch" is activated (default) or, as in the paper's appendix,
    "both" it and the shortcut. `last_norm=False` leaves out BN and ReLU before the average. `conv_bias`, `epsilon`:
    biases of all convolutions, and the epsilon of batch normalisation.
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
        block_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        stride_in: str | None = None,
        shortcut: str = "B",
        shortcut_from: str = "activated",
        first_activation: str = "branch",
        last_norm: bool = True,
        conv_bias: bool = False,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        require_choice("preact_resnet", "stride_in", stride_in or block.STRIDE_IN, ("conv1", "conv2"))
        require_choice("preact_resnet", "shortcut", shortcut, ("A", "B"))
        require_choice("preact_resnet", "shortcut_from", shortcut_from, ("activated", "input"))
        require_choice("preact_resnet", "first_activation", first_activation, ("branch", "both"))
        channels = widths[0]
        self.conv1, self.maxpool = stem_layers("preact_resnet", stem, in_channels, channels)
        self.stages = [f"layer{i + 1}" for i in range(len(depths))]
        scaled = stage_widths("preact_resnet", depths, widths, widen)
        for stage, width, depth in zip(self.stages, scaled, depths, strict=True):
            blocks = []
            for j in range(depth):
                stride = 2 if stage != "layer1" and j == 0 else 1
                strides = (stride, 1) if (stride_in or block.STRIDE_IN) == "conv1" else (1, stride)
                way = _shortcut(shortcut, channels, width * block.expansion, stride)
                activated = isinstance(way, nn.Conv2d) and shortcut_from == "activated"
                activated |= first_activation == "both" and stage == "layer1" and j == 0
                blocks.append(block(channels, width, strides, block_dropout, way, activated))
                channels = width * block.expansion
            self.add_module(stage, nn.Sequential(*blocks))
        set_stochastic_depth([block for stage in self.stages for block in getattr(self, stage)], stochastic_depth)
        self.bn = nn.BatchNorm2d(channels) if last_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True) if last_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        set_norms(self, epsilon, conv_bias)
        initialise(self, he_normal, linear=fan_in_uniform)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.conv1(x))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.dropout(self.relu(self.bn(x)).mean((2, 3))))


class Basic(nn.Module):
    """BN, ReLU, 3x3; BN, ReLU, 3x3; and a shortcut."""

    expansion = 1
    STRIDE_IN = "conv1"

    def __init__(
        self,
        channels: int,
        width: int,
        strides: tuple[int, int],
        dropout: float,
        shortcut: nn.Module | None,
        activated_shortcut: bool,
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride=strides[0], padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, stride=strides[1], padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut
        self.activated_shortcut = activated_shortcut
        self.stochastic_depth = StochasticDepth(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(x))
        shortcut = y if self.activated_shortcut else x
        shortcut = shortcut if self.downsample is None else self.downsample(shortcut)
        y = self.relu(self.bn2(self.conv1(y)))
        return self.stochastic_depth(self.conv2(self.dropout(y))) + shortcut


class Bottleneck(nn.Module):
    """BN, ReLU, 1x1; BN, ReLU, 3x3; BN, ReLU, 1x1; and a shortcut."""

    expansion = 4
    STRIDE_IN = "conv2"

    def __init__(
        self,
        channels: int,
        width: int,
        strides: tuple[int, int],
        dropout: float,
        shortcut: nn.Module | None,
        activated_shortcut: bool,
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 1, stride=strides[0], bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=strides[1], padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut
        self.activated_shortcut = activated_shortcut
        self.stochastic_depth = StochasticDepth(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(x))
        shortcut = y if self.activated_shortcut else x
        shortcut = shortcut if self.downsample is None else self.downsample(shortcut)
        y = self.relu(self.bn2(self.conv1(y)))
        y = self.relu(self.bn3(self.conv2(y)))
        return self.stochastic_depth(self.conv3(self.dropout(y))) + shortcut


def _shortcut(option: str, channels: int, out: int, stride: int) -> nn.Module | None:
    """None, the identity, unless the shape changes; no shortcut has batch normalisation."""
    if stride == 1 and channels == out:
        return None
    if option == "B":
        return nn.Conv2d(channels, out, 1, stride=stride, bias=False)
    if channels > out:
        raise ValueError(f"shortcut A only adds channels: it cannot lead {channels} channels to {out}")
    return PaddedIdentity(stride, out - channels)


def _cifar(block: type[Basic] | type[Bottleneck], n: int, **options: Any) -> tuple[type[PreActResNet], dict[str, Any]]:
    return PreActResNet, dict(
        block=block, depths=(n, n, n), widths=(16, 32, 64), stem="cifar", first_activation="both", **options
    )


NETWORKS: Networks = {
    "preact_resnet18": (PreActResNet, dict(block=Basic, depths=DEPTHS[18])),
    "preact_resnet34": (PreActResNet, dict(block=Basic, depths=DEPTHS[34])),
    "preact_resnet50": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[50])),
    "preact_resnet101": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[101])),
    "preact_resnet152": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[152])),
    "preact_resnet110": _cifar(Basic, 18, shortcut="A"),
    "preact_resnet164": _cifar(Bottleneck, 18, stride_in="conv1"),  # resnet-1k-layers, the authors' code
    "preact_resnet1001": _cifar(Bottleneck, 111, stride_in="conv1"),
    # pytorch-cifar averages the last block's sum as it is, the paper after BN and ReLU
    "cifar_preact_resnet18": (PreActResNet, dict(block=Basic, depths=DEPTHS[18], stem="cifar", last_norm=False)),
}
