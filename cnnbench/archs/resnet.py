"""ResNet. He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, Table 1.

| stage   | output (224x224) | 18            | 50                                |
|---------|------------------|---------------|-----------------------------------|
| conv1   | 112x112          | 7x7 / 2, 64   | 7x7 / 2, 64                       |
| pool    | 56x56            | max 3x3 / 2   | max 3x3 / 2                       |
| conv2_x | 56x56            | [3x3 64] x2   | [1x1 64, 3x3 64, 1x1 256] x3      |
| conv3_x | 28x28            | [3x3 128] x2  | [1x1 128, 3x3 128, 1x1 512] x4    |
| conv4_x | 14x14            | [3x3 256] x2  | [1x1 256, 3x3 256, 1x1 1024] x6   |
| conv5_x | 7x7              | [3x3 512] x2  | [1x1 512, 3x3 512, 1x1 2048] x3   |
| head    | 1x1              | global average, fully connected                   |
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import he_normal, initialise

WIDTHS = (64, 128, 256, 512)  # of the four stages; a bottleneck block puts out four times as many channels


class ResNet(nn.Module):
    """ResNet with projection shortcuts where the shape changes (option B).

    `stride_in`: "3x3" (default; fb.resnet.torch, torchvision and the ResNeXt paper: "v1.5") or "1x1" (the paper: "v1")
    is the convolution that halves the map in a bottleneck block. `dropout` (not in the paper) acts before the
    classifier. `zero_gamma` starts the last scale of each block at 0 (Goyal et al. 2017); the paper does not.
    """

    def __init__(
        self,
        block: type[Basic] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
        stride_in: str = "3x3",
        zero_gamma: bool = False,
    ) -> None:
        super().__init__()
        if stride_in not in ("3x3", "1x1"):
            raise ValueError(f"resnet cannot put its stride in '{stride_in}': choose 3x3 or 1x1")
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for i, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
            blocks = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(block(channels, width, stride, stride_in))
                channels = width * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, he_normal)
        if zero_gamma:
            for module in self.modules():
                if isinstance(module, Basic | Bottleneck):
                    nn.init.zeros_(module.last_norm().weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.dropout(x.mean((2, 3))))


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut (paper, Figure 5 left)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, stride_in: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, width, stride)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (paper, Figure 5 right)."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, stride_in: str) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = nn.Conv2d(channels, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, 4 * width, stride)

    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


def _projection(channels: int, out: int, stride: int) -> nn.Module:
    """Shortcut: identity, or a strided 1x1 convolution with batch normalisation where the shape changes."""
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


NETWORKS = {
    "resnet18": (ResNet, {"block": Basic, "depths": (2, 2, 2, 2)}),
    "resnet50": (ResNet, {"block": Bottleneck, "depths": (3, 4, 6, 3)}),
}
