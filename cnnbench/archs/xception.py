"""Xception. Chollet: Xception: Deep Learning with Depthwise Separable Convolutions, CVPR 2017, Figure 5.

sep c: depthwise 3x3, then pointwise 1x1 to c channels, then BN; no ReLU between the two. A shortcut is the block's
input, or a 1x1 / 2 convolution of it with BN where the block has a pooling.

| flow   | block    | specification                               | output (299x299)        |
|--------|----------|---------------------------------------------|-------------------------|
| entry  | conv1, 2 | 3x3 / 2, 32; 3x3, 64; each with BN and ReLU | 32x149x149, 64x147x147  |
|        | block1   | sep 128; ReLU, sep 128; max 3x3 / 2         | 128x74x74               |
|        | block2   | ReLU, sep 256, twice; max 3x3 / 2           | 256x37x37               |
|        | block3   | ReLU, sep 728, twice; max 3x3 / 2           | 728x19x19               |
| middle | block4-11| ReLU, sep 728, three times                  | 728x19x19               |
| exit   | block12  | ReLU, sep 728; ReLU, sep 1024; max 3x3 / 2  | 1024x10x10              |
|        | conv3, 4 | sep 1536, ReLU; sep 2048, ReLU              | 2048x10x10              |
| head   |          | global average, dropout 0.5, fully connected| classes                 |

Parameter names are those of the public PyTorch port of the author's weights (conv1, block1.rep.0, ..., fc).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from cnnbench.archs.conventions import SameMaxPool2d, set_norms
from cnnbench.archs.layers import Networks, initialise, require_choice
from cnnbench.archs.network import Network

# Output channels of the separable convolutions of block1 to block12.
BLOCKS = [(128, 128), (256, 256), (728, 728), *[(728, 728, 728)] * 8, (728, 1024)]


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


BETWEEN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": _same,
    "relu": functional.relu,
    "elu": functional.elu,
}


class Xception(Network):
    """Xception. `dropout` of 0.5 is the paper's for ImageNet (section 4.3); the Keras model for inference has none.

    `same_padding`: max pooling pads an even side on the right and below only, as the author's Keras code does: at 299
    that is block2's. The PyTorch port of his weights pads both sides (default). `epsilon`: of batch normalisation, 1e-3
    in Keras (default); timm has 1e-5.

    `intermediate_activation`: between depthwise and pointwise convolution, "none" (default; the paper's), "relu" or
    "elu", with which its section 4.7 and Figure 10 compare.

    Weights start by Glorot's uniform distribution, the default of Keras; the paper does not say.
    """

    CLASSIFIER = "fc"

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        same_padding: bool = False,
        epsilon: float = 1e-3,
        intermediate_activation: str = "none",
    ) -> None:
        super().__init__()
        require_choice("xception", "intermediate activation", intermediate_activation, BETWEEN)
        between = BETWEEN[intermediate_activation]
        self.conv1 = nn.Conv2d(in_channels, 32, 3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.blocks = [f"block{i + 1}" for i in range(len(BLOCKS))]
        channels = 64
        for name, outs in zip(self.blocks, BLOCKS, strict=True):
            # conv2 has its own ReLU
            self.add_module(name, Block(channels, outs, name != "block1", same_padding, between))
            channels = outs[-1]
        self.conv3 = Separable(channels, 1536, between)
        self.bn3 = nn.BatchNorm2d(1536)
        self.conv4 = Separable(1536, 2048, between)
        self.bn4 = nn.BatchNorm2d(2048)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        set_norms(self, epsilon)
        initialise(self, nn.init.xavier_uniform_)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        for name in self.blocks:
            x = getattr(self, name)(x)
        x = self.relu(self.bn3(self.conv3(x)))
        x = self.relu(self.bn4(self.conv4(x)))
        return self.fc(self.dropout(x.mean((2, 3))))


class Block(nn.Module):
    """ReLU and separable convolution, as often as `outs` has channels, and a shortcut.

    Where the channels change, the map is halved: max pooling after the convolutions, a strided shortcut beside them.
    """

    def __init__(
        self,
        channels: int,
        outs: tuple[int, ...],
        first_relu: bool,
        same_padding: bool,
        between: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        super().__init__()
        halve = outs[-1] != channels
        self.skip = nn.Conv2d(channels, outs[-1], 1, stride=2, bias=False) if halve else None
        self.skipbn = nn.BatchNorm2d(outs[-1]) if halve else None
        layers: list[nn.Module] = []
        for out in outs:
            layers += [nn.ReLU(inplace=bool(layers)), Separable(channels, out, between), nn.BatchNorm2d(out)]
            channels = out
        if halve:
            layers.append(SameMaxPool2d() if same_padding else nn.MaxPool2d(3, stride=2, padding=1))
        self.rep = nn.Sequential(*layers[0 if first_relu else 1 :])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rep(x) + (x if self.skip is None or self.skipbn is None else self.skipbn(self.skip(x)))


class Separable(nn.Module):
    """Depthwise 3x3 convolution, then pointwise 1x1 convolution; `between` acts between them."""

    def __init__(self, channels: int, out: int, between: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.between = between
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.between(self.conv1(x)))


NETWORKS: Networks = {"xception": (Xception, {})}
