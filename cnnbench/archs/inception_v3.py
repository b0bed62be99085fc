"""Inception-v3, the released network. Szegedy et al.: Rethinking the Inception Architecture, CVPR 2016.

| layer         | specification                                             | output (299x299 input)              |
|---------------|-----------------------------------------------------------|-------------------------------------|
| stem          | 3x3 / 2, 32; 3x3, 32; 3x3 padding 1, 64; max pool 3x3 / 2 | 149x149, 147x147, 147x147, 64x73x73 |
|               | 1x1, 80; 3x3, 192; max pool 3x3 / 2                       | 80x73x73, 192x71x71, 192x35x35      |
| Mixed_5b - 5d | 35x35 modules, projection 32, 64, 64                      | 256, 288, 288x35x35                 |
| Mixed_6a      | reduction                                                 | 768x17x17                           |
| Mixed_6b - 6e | 17x17 modules, width 128, 160, 160, 192; auxiliary head   | 768x17x17                           |
| Mixed_7a      | reduction                                                 | 1280x8x8                            |
| Mixed_7b - 7c | 8x8 modules                                               | 2048x8x8                            |
| head          | global average; dropout 0.5; fully connected              | classes                             |
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from cnnbench.archs.inception_blocks import BasicConv
from cnnbench.archs.inception_factorised import (
    AuxiliaryHead,
    InceptionA,
    InceptionB,
    InceptionC,
    ReductionA,
    ReductionB,
    initialise_factorised,
    require_aux_size,
)
from cnnbench.archs.layers import Networks
from cnnbench.archs.network import Network


class InceptionV3(Network):
    """Inception-v3; torchvision's state dict loads as it is, auxiliary head included.

    `image_size` only sizes the auxiliary head: with it at least 107, without it 75. `dropout`: 0.5 as in torchvision;
    TensorFlow-slim has 0.2, the paper none. `count_padding`: average pooling counts the padding (torchvision;
    timm does so with every weights file) or not (default; the authors' code, Keras); the paper does not say.
    """

    CLASSIFIER = "fc"
    AUXILIARY_CLASSIFIERS: ClassVar = {"AuxLogits": "AuxLogits.fc"}

    # torchvision's transform_input is not part of the network. Its public weights expect inputs normalised by mean and
    # deviation 0.5 instead of ImageNet's; that belongs to the preprocessing.

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 299,
        dropout: float = 0.5,
        aux_heads: bool = True,
        count_padding: bool = False,
    ) -> None:
        super().__init__()
        require_aux_size("inception_v3", image_size, aux_heads)
        self.Conv2d_1a_3x3 = BasicConv(in_channels, 32, 3, stride=2, padding=0)
        self.Conv2d_2a_3x3 = BasicConv(32, 32, 3, padding=0)
        self.Conv2d_2b_3x3 = BasicConv(32, 64, 3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv(80, 192, 3, padding=0)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = InceptionA(
            192, 32, middle=5, count_padding=count_padding
        )  # paper, Figure 5: 3x3; the released code kept the 5x5
        self.Mixed_5c = InceptionA(256, 64, middle=5, count_padding=count_padding)
        self.Mixed_5d = InceptionA(288, 64, middle=5, count_padding=count_padding)
        self.Mixed_6a = ReductionA(288)
        self.Mixed_6b = InceptionB(768, 128, count_padding)
        self.Mixed_6c = InceptionB(768, 160, count_padding)
        self.Mixed_6d = InceptionB(768, 160, count_padding)
        self.Mixed_6e = InceptionB(768, 192, count_padding)
        self.aux_weights = (0.4,) if aux_heads else ()  # common practice; the paper gives no weight
        if aux_heads:
            self.AuxLogits = AuxiliaryHead(768, num_classes, True, image_size)
        self.Mixed_7a = ReductionB(768)
        self.Mixed_7b = InceptionC(1280, count_padding)
        self.Mixed_7c = InceptionC(2048, count_padding)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        initialise_factorised(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6a(x)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        aux = (self.AuxLogits(x),) if self.training and self.aux_weights else ()
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        logits = self.fc(self.dropout(x.mean((2, 3))))
        return (logits, *aux) if aux else logits


NETWORKS: Networks = {"inception_v3": (InceptionV3, {})}
