"""Inception-ResNet-v2, the network that its authors released (Szegedy, Ioffe, Vanhoucke, Alemi, AAAI 2017).

It is not the one of the paper's figures (inception_resnet.py): another stem, one more module, 10/20/10 blocks, a last
1x1 convolution. Its cost is the one that the paper states.

| layer        | specification                                                       | output (299x299)             |
|--------------|---------------------------------------------------------------------|------------------------------|
| conv2d_1a-2b | 3x3 / 2, 32; 3x3, 32; 3x3 padding 1, 64; max pool 3x3 / 2           | 149, 147, 147, then 64x73x73 |
| conv2d_3b-4a | 1x1, 80; 3x3, 192; max pool 3x3 / 2                                 | 73, 71, then 192x35x35       |
| mixed_5b     | 96; (48, 5x5 64); (64, 3x3 96, 3x3 96); average pool, 64            | 320x35x35                    |
| repeat       | 10 A, scale 0.17: 32; (32, 3x3 32); (32, 3x3 48, 3x3 64)            | 320x35x35                    |
| mixed_6a     | 3x3 / 2, 384; (256, 3x3 256, 3x3 / 2 384); max pool                 | 1088x17x17                   |
| repeat_1     | 20 B, scale 0.10: 192; (128, 1x7 160, 7x1 192)                      | 1088x17x17                   |
| mixed_7a     | (256, 384); (256, 288); (256, 3x3 288, 320), each 3x3 / 2; max pool | 2080x8x8                     |
| repeat_2     | 9 C, scale 0.20: 192; (192, 1x3 224, 3x1 256)                       | 2080x8x8                     |
| block8       | 1 C, scale 1, without ReLU                                          | 2080x8x8                     |
| conv2d_7b    | 1x1, 1536                                                           | 1536x8x8                     |
| head         | global average; dropout 0.2; fully connected                        | classes                      |
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from cnnbench.archs.inception_blocks import BasicConv, Concat, chain, pool_projection, reduction_a
from cnnbench.archs.inception_factorised import AuxiliaryHead, require_aux_size
from cnnbench.archs.inception_resnet import FILTERS, SCALES, Residual, reduction_b, residual_blocks
from cnnbench.archs.layers import Networks, initialise
from cnnbench.archs.network import Network


class InceptionResNetV2(Network):
    """The released Inception-ResNet-v2, with timm's names, so that its public weights load.

    Images of at least 75x75, with the auxiliary head 107x107.

    `scales`: what the residuals of A, B, C are multiplied by before the sum. `aux_heads`, `image_size`: as in
    inception_v4.InceptionV4, after the 20 B.
    """

    CLASSIFIER = "classif"
    AUXILIARY_CLASSIFIERS: ClassVar = {"AuxLogits": "AuxLogits.fc"}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 299,
        dropout: float = 0.2,
        scales: tuple[float, float, float] = SCALES,
        aux_heads: bool = False,
    ) -> None:
        super().__init__()
        require_aux_size("inception_resnet_v2", image_size, aux_heads)
        filters = FILTERS["v2"]
        self.conv2d_1a = BasicConv(in_channels, 32, 3, stride=2, padding=0)
        self.conv2d_2a = BasicConv(32, 32, 3, padding=0)
        self.conv2d_2b = BasicConv(32, 64, 3)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = BasicConv(64, 80, 1)
        self.conv2d_4a = BasicConv(80, 192, 3, padding=0)
        self.maxpool_5a = nn.MaxPool2d(3, stride=2)
        self.mixed_5b = Concat(
            branch0=chain(192, (96, 1)),
            branch1=chain(192, (48, 1), (64, 5)),
            branch2=chain(192, (64, 1), (96, 3), (96, 3)),
            branch3=pool_projection(192, 64),
        )
        self.repeat = residual_blocks(10, 320, filters.a, scales[0])
        self.mixed_6a = reduction_a(320, *filters.reduction_a)
        self.repeat_1 = residual_blocks(20, 1088, filters.b, scales[1])
        self.aux_weights = (0.4,) if aux_heads else ()
        if aux_heads:
            self.AuxLogits = AuxiliaryHead(1088, num_classes, True, image_size)
        self.mixed_7a = reduction_b(1088, filters.reduction_b)
        self.repeat_2 = residual_blocks(9, 2080, filters.c, scales[2])
        self.block8 = Residual(2080, filters.c, scale=1.0, relu=False)
        self.conv2d_7b = BasicConv(2080, 1536, 1)
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(1536, num_classes)
        initialise(self, nn.init.xavier_uniform_)  # slim's own: the scope of this network sets none

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        x = self.maxpool_3a(self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x))))
        x = self.maxpool_5a(self.conv2d_4a(self.conv2d_3b(x)))
        x = self.repeat(self.mixed_5b(x))
        x = self.repeat_1(self.mixed_6a(x))
        aux = (self.AuxLogits(x),) if self.training and self.aux_weights else ()
        x = self.block8(self.repeat_2(self.mixed_7a(x)))
        x = self.conv2d_7b(x)
        logits = self.classif(self.dropout(x.mean((2, 3))))
        return (logits, *aux) if aux else logits


NETWORKS: Networks = {"inception_resnet_v2": (InceptionResNetV2, {})}
