"""Pre-activation ResNet. He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, ECCV 2016.

Stages and depths are those of ResNet (resnet.py, Table 1); the order inside differs (Figure 4e and appendix):

| part     | specification                                                                    |
|----------|----------------------------------------------------------------------------------|
| stem     | 7x7 / 2, 64, directly followed by max pool 3x3 / 2                               |
| block    | BN, ReLU, conv; BN, ReLU, conv (bottleneck: once more); added to the shortcut    |
| shortcut | identity of the block's input; where the shape changes, a 1x1 convolution        |
| head     | BN, ReLU, global average, fully connected                                        |
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import (
    Networks,
    StochasticDepth,
    fan_in_uniform,
    he_normal,
    initialise,
    set_stochastic_depth,
    stage_widths,
    stem_layers,
)
from cnnbench.archs.resnet import DEPTHS, WIDTHS


class PreActResNet(nn.Module):
    """Residual network of pre-activation blocks; nothing but additions on the way between shape changes.

    `depths`, `widths`, `widen`, `stem`: as in resnet.ResNet. `dropout` (not in the paper) acts before the classifier,
    `block_dropout` before the last convolution of each block (Wide ResNet, section 2.4). `stochastic_depth` (not in the
    paper) is the probability of leaving out the last block in training (layers.StochasticDepth).
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
    ) -> None:
        super().__init__()
        channels = widths[0]
        self.conv1, self.maxpool = stem_layers("preact_resnet", stem, in_channels, channels)
        self.stages = [f"layer{i + 1}" for i in range(len(depths))]
        scaled = stage_widths("preact_resnet", depths, widths, widen)
        for stage, width, depth in zip(self.stages, scaled, depths, strict=True):
            blocks = []
            for j in range(depth):
                stride = 2 if stage != "layer1" and j == 0 else 1
                blocks.append(block(channels, width, stride, block_dropout))
                channels = width * block.expansion
            self.add_module(stage, nn.Sequential(*blocks))
        set_stochastic_depth([block for stage in self.stages for block in getattr(self, stage)], stochastic_depth)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, he_normal, linear=fan_in_uniform)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.conv1(x))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.dropout(self.relu(self.bn(x)).mean((2, 3))))


class Basic(nn.Module):
    """BN, ReLU, 3x3; BN, ReLU, 3x3; and a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, width, stride)
        self.stochastic_depth = StochasticDepth(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(y)  # a projection sees the activated tensor
        y = self.relu(self.bn2(self.conv1(y)))
        return self.stochastic_depth(self.conv2(self.dropout(y))) + shortcut


class Bottleneck(nn.Module):
    """BN, ReLU, 1x1; BN, ReLU, 3x3; BN, ReLU, 1x1; and a shortcut. The 3x3 convolution has the stride."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, 4 * width, stride)
        self.stochastic_depth = StochasticDepth(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(y)  # a projection sees the activated tensor
        y = self.relu(self.bn2(self.conv1(y)))
        y = self.relu(self.bn3(self.conv2(y)))
        return self.stochastic_depth(self.conv3(self.dropout(y))) + shortcut


def _projection(channels: int, out: int, stride: int) -> nn.Module | None:
    """Shortcut where the shape changes: a strided 1x1 convolution, without batch normalisation."""
    if stride == 1 and channels == out:
        return None
    return nn.Conv2d(channels, out, 1, stride=stride, bias=False)


NETWORKS: Networks = {
    "preact_resnet18": (PreActResNet, dict(block=Basic, depths=DEPTHS[18])),
    "preact_resnet34": (PreActResNet, dict(block=Basic, depths=DEPTHS[34])),
    "preact_resnet50": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[50])),
    "preact_resnet101": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[101])),
    "preact_resnet152": (PreActResNet, dict(block=Bottleneck, depths=DEPTHS[152])),
}
