"""Inception-ResNet as its figures draw it. Szegedy, Ioffe, Vanhoucke, Alemi: Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning, AAAI 2017, Figures 10 to 19. The released v2 is in inception_resnet_v2.py.

| layer       | v1                                     | output (299x299) | v2                         | output     |
|-------------|----------------------------------------|------------------|----------------------------|------------|
| stem        | 3x3 / 2, 32; 3x3, 32; 3x3 p1, 64; pool | 64x73x73         | stem of Inception-v4       |            |
|             | 1x1, 80; 3x3, 192; 3x3 / 2, 256        | 256x35x35        |                            | 384x35x35  |
| 5 A         | 32; (32, 3x3 32); (32, 3x3 32, 3x3 32) | 256x35x35        | 32; (32, 32); (32, 48, 64) | 384x35x35  |
| reduction A | k, l, m, n = 192, 192, 256, 384        | 896x17x17        | 256, 256, 384, 384         | 1152x17x17 |
| 10 B        | 128; (128, 1x7 128, 7x1 128)           | 896x17x17        | 192; (128, 160, 192)       | 1152x17x17 |
| reduction B | 384; 256; (256, 256); pool             | 1792x8x8         | 384; 288; (288, 320)       | 2144x8x8   |
| 5 C         | 192; (192, 1x3 192, 3x1 192)           | 1792x8x8         | 192; (192, 224, 256)       | 2144x8x8   |
| head        | average; dropout 0.2; fully connected  | classes          | the same                   | classes    |

Each branch of reduction B begins with a 1x1 convolution of 256.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.archs.inception_blocks import BasicConv, Concat, Conv, chain, reduction_a
from cnnbench.archs.inception_v4 import KERNEL_ORDERS, stem
from cnnbench.archs.layers import Networks, initialise, require_choice
from cnnbench.archs.network import Network

SCALES = (0.17, 0.10, 0.20)  # of the residuals of A, B, C in the released code; the paper: between 0.1 and 0.3
PAPER_DEPTHS = (5, 10, 5)

Branches = tuple[list[Conv], ...]  # for each branch its convolutions, as chain() takes them


@dataclass(frozen=True)
class Filters:
    """Branches of the blocks A, B, C and of reduction B; k, l, m, n of reduction A."""

    a: Branches
    reduction_a: tuple[int, int, int, int]
    b: Branches
    reduction_b: Branches
    c: Branches


FILTERS = {
    "v1": Filters(
        a=([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]),
        reduction_a=(192, 192, 256, 384),
        b=([(128, 1)], [(128, 1), (128, (1, 7)), (128, (7, 1))]),
        reduction_b=([(256, 1), (384, 3, 2, 0)], [(256, 1), (256, 3, 2, 0)], [(256, 1), (256, 3), (256, 3, 2, 0)]),
        c=([(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]),
    ),
    "v2": Filters(
        a=([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]),
        reduction_a=(256, 256, 384, 384),
        b=([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]),
        reduction_b=([(256, 1), (384, 3, 2, 0)], [(256, 1), (288, 3, 2, 0)], [(256, 1), (288, 3), (320, 3, 2, 0)]),
        c=([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]),
    ),
}


class InceptionResNet(Network):
    """Inception-ResNet-v1 or -v2 by the figures, identity shortcuts throughout. Images of at least 75x75.

    `version`: a key of FILTERS. `depths`: number of A, B, C blocks; (5, 10, 5) in the figures, and 10, 20, 10 in the
    released v2, whose cost is the one the paper states. `scales`: what the residuals of A, B, C are multiplied by
    before the sum (section 3.3).
    """

    CLASSIFIER = "fc"

    # The figures print 1154 and 2048 for v2's expansions in B and C; what enters there has 1152 and 2144 channels, and
    # an identity shortcut only works with these.

    def __init__(
        self,
        version: str,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        depths: tuple[int, int, int] = PAPER_DEPTHS,
        scales: tuple[float, float, float] = SCALES,
    ) -> None:
        super().__init__()
        require_choice("inception_resnet", "version", version, FILTERS)
        if len(depths) != 3 or min(depths) < 1:
            raise ValueError(f"inception_resnet needs three depths of at least 1, for its A, B, C blocks, not {depths}")
        filters = FILTERS[version]
        self.stem, channels = STEMS[version](in_channels)
        self.block_a = residual_blocks(depths[0], channels, filters.a, scales[0])
        self.reduction_a = reduction_a(channels, *filters.reduction_a)
        channels += sum(filters.reduction_a[2:])
        self.block_b = residual_blocks(depths[1], channels, filters.b, scales[1])
        self.reduction_b = reduction_b(channels, filters.reduction_b)
        channels += sum(convs[-1][0] for convs in filters.reduction_b)
        self.block_c = residual_blocks(depths[2], channels, filters.c, scales[2])
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, nn.init.xavier_uniform_)  # slim's own: the scope of this network sets none

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block_a(self.stem(x))
        x = self.block_b(self.reduction_a(x))
        x = self.block_c(self.reduction_b(x))
        return self.fc(self.dropout(x.mean((2, 3))))


class Residual(nn.Module):
    """x + scale * expansion(branches(x)), then ReLU unless `relu` is False: (N, channels, H, W) to the same.

    The 1x1 expansion has a bias and neither batch normalisation nor ReLU (section 3.2). `branches`: for each branch its
    convolutions, as chain() takes them.
    """

    def __init__(self, channels: int, branches: Branches, scale: float, relu: bool = True) -> None:
        super().__init__()
        for i, convs in enumerate(branches):
            self.add_module(f"branch{i}", chain(channels, *convs))
        self.branches = len(branches)
        self.conv2d = nn.Conv2d(sum(convs[-1][0] for convs in branches), channels, 1)
        self.scale = scale
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([getattr(self, f"branch{i}")(x) for i in range(self.branches)], 1)
        return self.relu(x + self.scale * self.conv2d(y))


def residual_blocks(depth: int, channels: int, branches: Branches, scale: float) -> nn.Sequential:
    """`depth` residual blocks in a row."""
    return nn.Sequential(*(Residual(channels, branches, scale) for _ in range(depth)))


def reduction_b(channels: int, branches: Branches) -> Concat:
    """17x17 to 8x8 reduction (Figures 12 and 18): branches of convolutions beside a max pool."""
    chains = {f"branch{i}": chain(channels, *convs) for i, convs in enumerate(branches)}
    return Concat(**chains, **{f"branch{len(branches)}": nn.MaxPool2d(3, stride=2)})


def _stem_v1(in_channels: int) -> tuple[nn.Sequential, int]:
    """Figure 14 and its output channels."""
    layers = [
        BasicConv(in_channels, 32, 3, stride=2, padding=0),
        BasicConv(32, 32, 3, padding=0),
        BasicConv(32, 64, 3),
        nn.MaxPool2d(3, stride=2),
        BasicConv(64, 80, 1),
        BasicConv(80, 192, 3, padding=0),
        BasicConv(192, 256, 3, stride=2, padding=0),
    ]
    return nn.Sequential(*layers), 256


def _stem_v2(in_channels: int) -> tuple[nn.Sequential, int]:
    """Figure 3 and its output channels."""
    return nn.Sequential(*stem(in_channels, KERNEL_ORDERS["paper"]["stem"])), 384


STEMS = {"v1": _stem_v1, "v2": _stem_v2}

NETWORKS: Networks = {
    "inception_resnet_v1": (InceptionResNet, {"version": "v1"}),
    "inception_resnet_v2_paper": (InceptionResNet, {"version": "v2"}),
}
