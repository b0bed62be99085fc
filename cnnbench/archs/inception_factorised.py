"""Modules of Szegedy et al.: Rethinking the Inception Architecture for Computer Vision, CVPR 2016.

Shared by inception_v2 (the paper's Table 1) and inception_v3 (the released network). The filter numbers are those of
the released code: the paper's text file with them is not public. Submodule names are torchvision's. `count_padding`:
whether average pools count the padding, as torchvision's do, or not (default), as TensorFlow's and Keras's.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cnnbench.archs.inception_blocks import BasicConv
from cnnbench.archs.layers import initialise, output_size, require_size

SMALLEST_IMAGE = 75
SMALLEST_IMAGE_WITH_AUX = 107  # the 5x5 average pool of the auxiliary head needs a 5x5 map


class InceptionA(nn.Module):
    """35x35 module (Figure 5): `channels` -> 224 + `projection`. `middle`: kernel of the middle branch, 3 or 5."""

    def __init__(self, channels: int, projection: int, middle: int, count_padding: bool = False) -> None:
        super().__init__()
        self.count_padding = count_padding
        self.branch1x1 = BasicConv(channels, 64, 1)
        self.branch5x5_1 = BasicConv(channels, 48, 1)
        self.branch5x5_2 = BasicConv(48, 64, middle)
        self.branch3x3dbl_1 = BasicConv(channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv(64, 96, 3)
        self.branch3x3dbl_3 = BasicConv(96, 96, 3)
        self.branch_pool = BasicConv(channels, projection, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        middle = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pool = self.branch_pool(_pool(x, self.count_padding))
        return torch.cat([self.branch1x1(x), middle, double, pool], 1)


class ReductionA(nn.Module):
    """35x35 to 17x17 (Figure 10): `channels` -> `channels` + 480."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = BasicConv(channels, 384, 3, stride=2, padding=0)
        self.branch3x3dbl_1 = BasicConv(channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv(64, 96, 3)
        self.branch3x3dbl_3 = BasicConv(96, 96, 3, stride=2, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, functional.max_pool2d(x, 3, stride=2)], 1)


class InceptionB(nn.Module):
    """17x17 module (Figure 6, n = 7): `channels` -> 768. `width`: channels of the factorised convolutions."""

    def __init__(self, channels: int, width: int, count_padding: bool = False) -> None:
        super().__init__()
        self.count_padding = count_padding
        self.branch1x1 = BasicConv(channels, 192, 1)
        self.branch7x7_1 = BasicConv(channels, width, 1)
        self.branch7x7_2 = BasicConv(width, width, (1, 7))
        self.branch7x7_3 = BasicConv(width, 192, (7, 1))
        self.branch7x7dbl_1 = BasicConv(channels, width, 1)
        self.branch7x7dbl_2 = BasicConv(width, width, (7, 1))
        self.branch7x7dbl_3 = BasicConv(width, width, (1, 7))
        self.branch7x7dbl_4 = BasicConv(width, width, (7, 1))
        self.branch7x7dbl_5 = BasicConv(width, 192, (1, 7))
        self.branch_pool = BasicConv(channels, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pool = self.branch_pool(_pool(x, self.count_padding))
        return torch.cat([self.branch1x1(x), single, double, pool], 1)


class ReductionB(nn.Module):
    """17x17 to 8x8 of the released network: `channels` -> `channels` + 512."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv(channels, 192, 1)
        self.branch3x3_2 = BasicConv(192, 320, 3, stride=2, padding=0)
        self.branch7x7x3_1 = BasicConv(channels, 192, 1)
        self.branch7x7x3_2 = BasicConv(192, 192, (1, 7))
        self.branch7x7x3_3 = BasicConv(192, 192, (7, 1))
        self.branch7x7x3_4 = BasicConv(192, 192, 3, stride=2, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        single = self.branch3x3_2(self.branch3x3_1(x))
        factorised = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        factorised = self.branch7x7x3_4(factorised)
        return torch.cat([single, factorised, functional.max_pool2d(x, 3, stride=2)], 1)


class InceptionC(nn.Module):
    """8x8 module with expanded filter bank (Figure 7): `channels` -> 2048."""

    def __init__(self, channels: int, count_padding: bool = False) -> None:
        super().__init__()
        self.count_padding = count_padding
        self.branch1x1 = BasicConv(channels, 320, 1)
        self.branch3x3_1 = BasicConv(channels, 384, 1)
        self.branch3x3_2a = BasicConv(384, 384, (1, 3))
        self.branch3x3_2b = BasicConv(384, 384, (3, 1))
        self.branch3x3dbl_1 = BasicConv(channels, 448, 1)
        self.branch3x3dbl_2 = BasicConv(448, 384, 3)
        self.branch3x3dbl_3a = BasicConv(384, 384, (1, 3))
        self.branch3x3dbl_3b = BasicConv(384, 384, (3, 1))
        self.branch_pool = BasicConv(channels, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(_pool(x, self.count_padding)),
        ]
        return torch.cat(branches, 1)


class AuxiliaryHead(nn.Module):
    """Classifier on the last 17x17 map: average pool 5x5 / 3; 1x1, 128; 5x5, 768; fully connected (Figure 8).

    The 5x5 convolution covers the whole 5x5 map, so it is a fully connected layer; `batch_norm` normalises it as well
    (the paper's BN-auxiliary), otherwise it has a bias. Where images of side `image_size` leave it a smaller map, its
    kernel is as large as that map, as in the authors' code.
    """

    def __init__(self, channels: int, num_classes: int, batch_norm: bool, image_size: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(5, stride=3)
        self.conv0 = BasicConv(channels, 128, 1)
        kernel = min(5, output_size(_side_of_17(image_size), 5, 3))
        self.conv1 = BasicConv(128, 768, kernel, padding=0, batch_norm=batch_norm)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(self.conv0(self.pool(x)))
        return self.fc(x.mean((2, 3)))  # one pixel at 299; a larger image leaves more, which torchvision averages too


def require_aux_size(network: str, image_size: int, aux_heads: bool) -> None:
    """Raise ValueError if images of side `image_size` are too small for `network`, or for its auxiliary head."""
    require_size(network, image_size, SMALLEST_IMAGE)
    if aux_heads:
        head = f"{network} with its auxiliary head (aux_heads=False leaves it out)"
        require_size(head, image_size, SMALLEST_IMAGE_WITH_AUX)


def _pool(x: torch.Tensor, count_padding: bool) -> torch.Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=count_padding)


def _side_of_17(image_size: int) -> int:
    """Side of the map that is 17x17 for images of 299x299; the layers before it shrink a map alike in v2 and v3."""
    side = image_size
    for stride in (2, 1, 2, 1, 2, 2):  # 3x3 convolutions and poolings without padding
        side = output_size(side, 3, stride)
    return side


def initialise_factorised(network: nn.Module) -> None:
    """Weights N(0, 0.1^2), in auxiliary heads 0.01 and 0.001 deviation; biases 0. The paper states none.

    These are torchvision's; its cut at +-2 is absolute, so in practice none.
    """
    initialise(network, lambda weight: nn.init.trunc_normal_(weight, std=0.1))
    for module in network.modules():
        if isinstance(module, AuxiliaryHead):
            nn.init.trunc_normal_(module.conv1.conv.weight, std=0.01)
            nn.init.trunc_normal_(module.fc.weight, std=0.001)
