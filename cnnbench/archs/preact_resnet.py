"""Pre-activation ResNet. He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, ECCV 2016.

Stages and depths are those of ResNet (resnet.py, Table 1); the order inside differs (Figure 4e and appendix):

| part       | specification                                                                      |
|------------|------------------------------------------------------------------------------------|
| stem       | 7x7 / 2, 64; BN, ReLU; max pool 3x3 / 2                                            |
| first unit | conv; BN, ReLU, conv (bottleneck: once more); added to what the stem gives         |
| unit       | BN, ReLU, conv; BN, ReLU, conv (bottleneck: once more); added to its input         |
| ... where the shape changes | the same; added to a 1x1 convolution of the input after BN and ReLU |
| head       | BN, ReLU, global average, fully connected                                          |

"For the first Residual Unit, we adopt the first activation right after conv1 and before splitting into two paths"
(appendix; models/preresnet.lua of fb.resnet.torch has it before the pooling).

For CIFAR (section 4.1, appendix) the stem is a 3x3 convolution with BN and ReLU, and three stages at 32x32, 16x16 and
8x8 have n units each:

| network           | n   | units of the three stages                 | shortcuts that widen           |
|-------------------|-----|-------------------------------------------|--------------------------------|
| preact_resnet110  | 18  | [3x3 w]x2 for w = 16, 32, 64              | option A: zeros, no parameters |
| preact_resnet164  | 18  | [1x1 w, 3x3 w, 1x1 4w] for w = 16, 32, 64 | option B: 1x1 convolution      |
| preact_resnet1001 | 111 | the same                                  | option B                       |

cifar_preact_resnet18 is preact_resnet18 with that stem, so that its four stages see 32x32 to 4x4: pytorch-cifar's, in
which most weights are published (github.com/kuangliu/pytorch-cifar). Wide ResNet and ResNeXt for CIFAR are this class
with other arguments: wide_resnet.py, resnext.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

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
from cnnbench.archs.resnet import DEPTHS, WIDTHS, PaddedIdentity


class PreActResNet(Network):
    """Residual network of pre-activation units; nothing but additions on the way between shape changes.

    `depths`, `widths`, `widen`, `stem`, `groups`, `base_width`, `init`: as in resnet.ResNet. `kernels`: sides, 1 or 3,
    of the convolutions of a unit, the last of which gives `expansion` times its stage's width. `dropout` (not in the
    paper) acts before the classifier, `block_dropout` before the last convolution of each unit (Wide ResNet, section
    2.4). `stochastic_depth` (not in the paper) is the probability of leaving out the last unit in training
    (layers.StochasticDepth).

    `stride_in`: the convolution of a unit that halves the map, "conv1" or "conv2"; null is the first 3x3
    (fb.resnet.torch). `shortcut`: "B" (default) or "A", as in resnet.ResNet. `shortcut_from`: a shortcut that changes
    the shape sees the "activated" tensor (default; the paper) or the "input". `first_activation`: BN and ReLU come
    after the first convolution, before the pooling, for "both" ways of the first unit (default; the paper's appendix),
    or in its "branch" alone. `last_norm=False` leaves out BN and ReLU before the average. `conv_bias`, `epsilon`:
    biases of all convolutions, and the epsilon of batch normalisation.
    """

    CLASSIFIER = "fc"

    def __init__(
        self,
        depths: tuple[int, ...],
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
        widths: tuple[int, ...] = WIDTHS,
        widen: float = 1.0,
        kernels: Sequence[int] = (3, 3),
        expansion: int = 1,
        groups: int = 1,
        base_width: int = 64,
        stem: str = "imagenet",
        block_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        stride_in: str | None = None,
        shortcut: str = "B",
        shortcut_from: str = "activated",
        first_activation: str = "both",
        last_norm: bool = True,
        conv_bias: bool = False,
        epsilon: float = 1e-5,
        init: str = "fan_out",
    ) -> None:
        super().__init__()
        require_choice("preact_resnet", "shortcut", shortcut, ("A", "B"))
        require_choice("preact_resnet", "shortcut_from", shortcut_from, ("activated", "input"))
        require_choice("preact_resnet", "first_activation", first_activation, ("branch", "both"))
        if (groups, base_width) != (1, 64) and expansion == 1:
            raise ValueError("groups and base_width are of bottleneck units, which have an expansion")
        form = _Form(tuple(kernels), _strided(kernels, stride_in), groups, block_dropout, shortcut, shortcut_from)
        channels = widths[0]
        both = first_activation == "both"
        self.conv1, self.maxpool = stem_layers("preact_resnet", stem, in_channels, channels)
        self.bn0 = nn.BatchNorm2d(channels) if both else nn.Identity()
        self.relu0 = nn.ReLU(inplace=True) if both else nn.Identity()
        self.stages = [f"layer{i + 1}" for i in range(len(depths))]
        scaled = stage_widths("preact_resnet", depths, widths, widen)
        for stage, width, depth in zip(self.stages, scaled, depths, strict=True):
            units = []
            for j in range(depth):
                stride = 2 if stage != "layer1" and j == 0 else 1
                way = (channels, _inner_width(width, groups, base_width), width * expansion)
                units.append(Unit(form, way, stride, both and stage == "layer1" and j == 0))
                channels = width * expansion
            self.add_module(stage, nn.Sequential(*units))
        set_stochastic_depth([unit for stage in self.stages for unit in getattr(self, stage)], stochastic_depth)
        self.bn = nn.BatchNorm2d(channels) if last_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True) if last_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        set_norms(self, epsilon, conv_bias)
        initialise_residual("preact_resnet", self, init)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu0(self.bn0(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.dropout(self.relu(self.bn(x)).mean((2, 3))))


@dataclass(frozen=True)
class _Form:
    """What the units of a network have in common. `strided`: number of the convolution that halves, from 1 on."""

    kernels: tuple[int, ...]
    strided: int
    groups: int
    dropout: float
    shortcut: str
    shortcut_from: str


class Unit(nn.Module):
    """BN, ReLU, convolution, as many times as there are kernels; and a shortcut.

    `way`: channels of the input, of the inner convolutions and of the output. `activated`: the input is activated
    already, so the unit begins with its first convolution.
    """

    def __init__(self, form: _Form, way: tuple[int, int, int], stride: int, activated: bool) -> None:
        super().__init__()
        channels, inner, out = way
        shortcut = _shortcut(form.shortcut, channels, out, stride)
        self.last = len(form.kernels)
        self.activated = activated
        self.activated_shortcut = shortcut is not None and form.shortcut_from == "activated"
        for i, kernel in enumerate(form.kernels, start=1):
            if not (activated and i == 1):
                self.add_module(f"bn{i}", nn.BatchNorm2d(channels))
            to = out if i == self.last else inner
            step, groups = stride if i == form.strided else 1, form.groups if kernel == 3 else 1
            conv = nn.Conv2d(channels, to, kernel, step, padding=kernel // 2, groups=groups, bias=False)
            self.add_module(f"conv{i}", conv)
            channels = to
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(form.dropout)
        self.downsample = shortcut
        self.stochastic_depth = StochasticDepth(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.activated else self._activated(1, x)
        shortcut = y if self.activated_shortcut else x
        shortcut = shortcut if self.downsample is None else self.downsample(shortcut)
        for i in range(1, self.last):
            y = self._activated(i + 1, getattr(self, f"conv{i}")(y))
        return self.stochastic_depth(getattr(self, f"conv{self.last}")(self.dropout(y))) + shortcut

    def _activated(self, i: int, x: torch.Tensor) -> torch.Tensor:
        return self.relu(getattr(self, f"bn{i}")(x))


def _strided(kernels: Sequence[int], stride_in: str | None) -> int:
    """Number, from 1 on, of the convolution that halves the map; ValueError for kernels that no unit has."""
    if not 1 <= len(kernels) <= 4 or not set(kernels) <= {1, 3} or 3 not in kernels:
        raise ValueError(f"no unit has kernels {list(kernels)}: give one to four, each 1 or 3, with a 3 among them")
    if stride_in is None:
        return list(kernels).index(3) + 1
    require_choice("preact_resnet", "stride_in", stride_in, ("conv1", "conv2"))
    return int(stride_in.removeprefix("conv"))


def _inner_width(width: int, groups: int, base_width: int) -> int:
    """Channels of the convolutions before the last one of a unit, as in resnet.Bottleneck."""
    inner = groups * (width * base_width // 64)
    if groups < 1 or inner < 1:
        raise ValueError(f"no unit of width {width} has {groups} groups of base width {base_width}: too small")
    return inner


def _shortcut(option: str, channels: int, out: int, stride: int) -> nn.Module | None:
    """None, the identity, unless the shape changes; no shortcut has batch normalisation."""
    if stride == 1 and channels == out:
        return None
    if option == "B":
        return nn.Conv2d(channels, out, 1, stride=stride, bias=False)
    if channels > out:
        raise ValueError(f"shortcut A only adds channels: it cannot lead {channels} channels to {out}")
    return PaddedIdentity(stride, out - channels)


BOTTLENECK: dict[str, Any] = dict(kernels=(1, 3, 1), expansion=4)
# resnet-1k-layers, the authors' code, halves in the first 1x1
CIFAR_BOTTLENECK = dict(**BOTTLENECK, widths=(16, 32, 64), stem="cifar", stride_in="conv1")

NETWORKS: Networks = {
    "preact_resnet18": (PreActResNet, dict(depths=DEPTHS[18])),
    "preact_resnet34": (PreActResNet, dict(depths=DEPTHS[34])),
    "preact_resnet50": (PreActResNet, dict(**BOTTLENECK, depths=DEPTHS[50])),
    "preact_resnet101": (PreActResNet, dict(**BOTTLENECK, depths=DEPTHS[101])),
    "preact_resnet152": (PreActResNet, dict(**BOTTLENECK, depths=DEPTHS[152])),
    "preact_resnet110": (PreActResNet, dict(depths=(18, 18, 18), widths=(16, 32, 64), stem="cifar", shortcut="A")),
    "preact_resnet164": (PreActResNet, dict(**CIFAR_BOTTLENECK, depths=(18, 18, 18))),
    "preact_resnet1001": (PreActResNet, dict(**CIFAR_BOTTLENECK, depths=(111, 111, 111))),
    # pytorch-cifar activates in the first unit's branch alone, and averages the last unit's sum as it is
    "cifar_preact_resnet18": (
        PreActResNet,
        dict(depths=DEPTHS[18], stem="cifar", first_activation="branch", last_norm=False),
    ),
}
