"""Inception-v4. Szegedy, Ioffe, Vanhoucke, Alemi: Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, AAAI 2017, Figures 3 to 9.

| layer       | specification                                                                     | output (299x299) |
|-------------|-----------------------------------------------------------------------------------|------------------|
| stem        | 3x3 / 2, 32; 3x3, 32; 3x3 padding 1, 64                                           | 64x147x147       |
|             | max pool 3x3 / 2 beside 3x3 / 2, 96                                               | 160x73x73        |
|             | (1x1, 64; 3x3, 96) beside (1x1, 64; 7x1, 64; 1x7, 64; 3x3, 96)                    | 192x71x71        |
|             | 3x3 / 2, 192 beside max pool 3x3 / 2                                              | 384x35x35        |
| 4 A         | 96; (64, 3x3 96); (64, 3x3 96, 3x3 96); average pool, 96                          | 384x35x35        |
| reduction A | 3x3 / 2, 384; (192, 3x3 224, 3x3 / 2 256); max pool                               | 1024x17x17       |
| 7 B         | 384; (192, 1x7 224, 7x1 256); (192, 1x7 192, 7x1 224, 1x7 224, 7x1 256); avg, 128 | 1024x17x17       |
| reduction B | (192, 3x3 / 2 192); (256, 1x7 256, 7x1 320, 3x3 / 2 320); max pool                | 1536x8x8         |
| 3 C         | 256; (384, {1x3, 3x1} 256); (384, 1x3 448, 3x1 512, {1x3, 3x1} 256); average, 256 | 1536x8x8         |
| head        | global average; dropout 0.2; fully connected                                      | classes          |
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from cnnbench.archs.inception_blocks import BasicConv, Concat, chain, pool_projection, reduction_a, variance_scaling
from cnnbench.archs.inception_factorised import AuxiliaryHead, require_aux_size
from cnnbench.archs.layers import Networks, initialise, require_choice
from cnnbench.archs.network import Network

MODULES_BEFORE_HEAD = 18  # 6 of the stem, 4 A, reduction A, 7 B: "Mixed_6h" of the authors' code

# Which of two factorised kernels comes first, in the stem, in the long branch of B and in the long branch of C.
KERNEL_ORDERS = {
    "paper": {"stem": [(7, 1), (1, 7)], "b": [(1, 7), (7, 1)], "c": [(1, 3), (3, 1)]},
    "released": {"stem": [(1, 7), (7, 1)], "b": [(7, 1), (1, 7)], "c": [(3, 1), (1, 3)]},
}


# The end points of slim's inception_v4.py, of the modules from features.3 on; the figures have no names for them.
END_POINTS = ("3a", "4a", "5a", "5b", "5c", "5d", "5e", *(f"6{x}" for x in "abcdefgh"), "7a", "7b", "7c", "7d")


class InceptionV4(Network):
    """Inception-v4. Images of at least 75x75, with the auxiliary head 107x107.

    `kernel_order`: a key of KERNEL_ORDERS; "paper" (default) follows the figures, "released" the authors' code. With
    "released" the names and shapes are those of timm's inception_v4, so that its public weights load as they are.
    `aux_heads`: the auxiliary head of the authors' code on the last 17x17 map, with weight 0.4 in the loss; the paper
    has none (default). `image_size` sizes that head alone.
    """

    CLASSIFIER = "last_linear"
    AUXILIARY_CLASSIFIERS: ClassVar = {"AuxLogits": "AuxLogits.fc"}
    LAYER_NAMES: ClassVar = {f"features.{i}": f"mixed_{name}" for i, name in enumerate(END_POINTS, 3)}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 299,
        dropout: float = 0.2,
        kernel_order: str = "paper",
        aux_heads: bool = False,
    ) -> None:
        super().__init__()
        require_aux_size("inception_v4", image_size, aux_heads)
        require_choice("inception_v4", "kernel order", kernel_order, KERNEL_ORDERS)
        order = KERNEL_ORDERS[kernel_order]
        self.features = nn.Sequential(
            *stem(in_channels, order["stem"]),
            *(_inception_a() for _ in range(4)),
            reduction_a(384, 192, 224, 256, 384),
            *(_inception_b(order["b"]) for _ in range(7)),
            _reduction_b(),
            *(_InceptionC(order["c"]) for _ in range(3)),
        )
        self.aux_weights = (0.4,) if aux_heads else ()
        if aux_heads:
            self.AuxLogits = AuxiliaryHead(1024, num_classes, True, image_size)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1536, num_classes)
        initialise(self, variance_scaling, linear=nn.init.xavier_uniform_)  # slim's, of layers without a scope

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        if not (self.training and self.aux_weights):
            return self._logits(self.features(x))
        for module in self.features[:MODULES_BEFORE_HEAD]:
            x = module(x)
        aux = self.AuxLogits(x)
        for module in self.features[MODULES_BEFORE_HEAD:]:
            x = module(x)
        return self._logits(x), aux

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.last_linear(self.dropout(x.mean((2, 3))))


def stem(in_channels: int, order: list[tuple[int, int]]) -> list[nn.Module]:
    """Figure 3, also the stem of Inception-ResNet-v2: (N, in_channels, 299, 299) -> (N, 384, 35, 35)."""
    first, second = order
    return [
        BasicConv(in_channels, 32, 3, stride=2, padding=0),
        BasicConv(32, 32, 3, padding=0),
        BasicConv(32, 64, 3),
        Concat(maxpool=nn.MaxPool2d(3, stride=2), conv=BasicConv(64, 96, 3, stride=2, padding=0)),
        Concat(
            branch0=chain(160, (64, 1), (96, 3, 1, 0)),
            branch1=chain(160, (64, 1), (64, first), (64, second), (96, 3, 1, 0)),
        ),
        Concat(conv=BasicConv(192, 192, 3, stride=2, padding=0), maxpool=nn.MaxPool2d(3, stride=2)),
    ]


def _inception_a() -> Concat:
    """Figure 4."""
    return Concat(
        branch0=chain(384, (96, 1)),
        branch1=chain(384, (64, 1), (96, 3)),
        branch2=chain(384, (64, 1), (96, 3), (96, 3)),
        branch3=pool_projection(384, 96),
    )


def _inception_b(order: list[tuple[int, int]]) -> Concat:
    """Figure 5."""
    first, second = order
    return Concat(
        branch0=chain(1024, (384, 1)),
        branch1=chain(1024, (192, 1), (224, (1, 7)), (256, (7, 1))),
        branch2=chain(1024, (192, 1), (192, first), (224, second), (224, first), (256, second)),
        branch3=pool_projection(1024, 128),
    )


def _reduction_b() -> Concat:
    """Figure 8."""
    return Concat(
        branch0=chain(1024, (192, 1), (192, 3, 2, 0)),
        branch1=chain(1024, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, 0)),
        branch2=nn.MaxPool2d(3, stride=2),
    )


class _InceptionC(nn.Module):
    """Figure 6; two branches end in a 1x3 beside a 3x1."""

    def __init__(self, order: list[tuple[int, int]]) -> None:
        super().__init__()
        first, second = order
        self.branch0 = BasicConv(1536, 256, 1)
        self.branch1_0 = BasicConv(1536, 384, 1)
        self.branch1_1a = BasicConv(384, 256, (1, 3))
        self.branch1_1b = BasicConv(384, 256, (3, 1))
        self.branch2_0 = BasicConv(1536, 384, 1)
        self.branch2_1 = BasicConv(384, 448, first)
        self.branch2_2 = BasicConv(448, 512, second)
        self.branch2_3a = BasicConv(512, 256, (1, 3))
        self.branch2_3b = BasicConv(512, 256, (3, 1))
        self.branch3 = pool_projection(1536, 256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        short = self.branch1_0(x)
        long = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        branches = [
            self.branch0(x),
            self.branch1_1a(short),
            self.branch1_1b(short),
            self.branch2_3a(long),
            self.branch2_3b(long),
            self.branch3(x),
        ]
        return torch.cat(branches, 1)


NETWORKS: Networks = {"inception_v4": (InceptionV4, {})}
