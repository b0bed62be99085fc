"""Inception-v2. Szegedy et al.: Rethinking the Inception Architecture for Computer Vision, CVPR 2016, Table 1.

| layer       | specification                                             | output (299x299 input)              |
|-------------|-----------------------------------------------------------|-------------------------------------|
| stem        | 3x3 / 2, 32; 3x3, 32; 3x3 padding 1, 64; max pool 3x3 / 2 | 149x149, 147x147, 147x147, 64x73x73 |
|             | 3x3, 80; 3x3 / 2, 192; 3x3 padding 1, 288                 | 80x71x71, 192x35x35, 288x35x35      |
| mixed_35    | 3 modules of Figure 5                                     | 288x35x35                           |
| reduction_a | Figure 10                                                 | 768x17x17                           |
| mixed_17    | 5 modules of Figure 6; auxiliary head                     | 768x17x17                           |
| reduction_b | Figure 10                                                 | 1280x8x8                            |
| mixed_8     | 2 modules of Figure 7                                     | 2048x8x8                            |
| head        | global average; fully connected                           | classes                             |

Rows of the paper's Table 3 that belong to the network: Inception-v2, RMSProp and label smoothing are stem="7x7";
factorised 7x7 is the default; BN-auxiliary is aux_batch_norm=True.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import nn

from cnnbench.archs.inception_blocks import BasicConv, Concat, chain
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
from cnnbench.archs.layers import Networks, require_choice
from cnnbench.archs.network import Network

# Widths of the 17x17 modules by their number. Four are those of the released Inception-v3; the fifth is an assumption.
WIDTHS = {4: (128, 160, 160, 192), 5: (128, 160, 160, 160, 192)}


class InceptionV2(Network):
    """Inception-v2 by the paper's Table 1, with the filter numbers of the released Inception-v3 inside the modules.

    `modules_17`: 5 (default, Table 1 and text) or 4 (released code; the only reading with the paper's 42 layers and
    fewer than 25 million parameters). `stem`: "factorised" (default, Table 1) or "7x7" (7x7 / 2, 64 in place of the
    first three convolutions; the paper does not specify it further). `reduction_b`: "figure10" (default) or "released"
    (the factorised one of Inception-v3). `aux_heads=False` leaves the auxiliary head out; `aux_batch_norm` normalises
    its fully connected layer too. `image_size` only sizes that head: with it at least 107, without it 75. `dropout`
    (not in the paper; 0.2 in the released code) acts before the classifier. `count_padding`: as in Inception-v3.
    """

    CLASSIFIER = "fc"
    AUXILIARY_CLASSIFIERS: ClassVar = {"aux": "aux.fc"}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 299,
        dropout: float = 0.0,
        aux_heads: bool = True,
        aux_batch_norm: bool = False,
        modules_17: int = 5,
        stem: str = "factorised",
        reduction_b: str = "figure10",
        count_padding: bool = False,
    ) -> None:
        super().__init__()
        require_aux_size("inception_v2", image_size, aux_heads)
        require_choice("inception_v2", "number of 17x17 modules", modules_17, WIDTHS)
        require_choice("inception_v2", "stem", stem, STEMS)
        require_choice("inception_v2", "second reduction", reduction_b, REDUCTIONS)
        self.stem = nn.Sequential(
            *STEMS[stem](in_channels),
            nn.MaxPool2d(3, stride=2),
            BasicConv(64, 80, 3, padding=0),
            BasicConv(80, 192, 3, stride=2, padding=0),
            BasicConv(192, 288, 3),
        )
        self.mixed_35 = nn.Sequential(*(InceptionA(288, 64, middle=3, count_padding=count_padding) for _ in range(3)))
        self.reduction_a = ReductionA(288)
        self.mixed_17 = nn.Sequential(*(InceptionB(768, width, count_padding) for width in WIDTHS[modules_17]))
        self.aux_weights = (0.4,) if aux_heads else ()  # common practice; the paper gives no weight
        if aux_heads:
            self.aux = AuxiliaryHead(768, num_classes, aux_batch_norm, image_size)
        self.reduction_b = REDUCTIONS[reduction_b](768)
        self.mixed_8 = nn.Sequential(InceptionC(1280, count_padding), InceptionC(2048, count_padding))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        initialise_factorised(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        x = self.mixed_17(self.reduction_a(self.mixed_35(self.stem(x))))
        aux = (self.aux(x),) if self.training and self.aux_weights else ()
        x = self.mixed_8(self.reduction_b(x))
        logits = self.fc(self.dropout(x.mean((2, 3))))
        return (logits, *aux) if aux else logits


def _reduction_figure10(channels: int) -> Concat:
    return Concat(
        branch1=chain(channels, (192, 1), (320, 3, 2, 0)),
        branch2=chain(channels, (192, 1), (192, 3), (192, 3, 2, 0)),
        branch3=nn.MaxPool2d(3, stride=2),
    )


def _stem_factorised(channels: int) -> list[BasicConv]:
    return [
        BasicConv(channels, 32, 3, stride=2, padding=0),
        BasicConv(32, 32, 3, padding=0),
        BasicConv(32, 64, 3),
    ]


STEMS: dict[str, Callable[[int], list[BasicConv]]] = {
    "factorised": _stem_factorised,
    "7x7": lambda channels: [BasicConv(channels, 64, 7, stride=2, padding=0)],
}
REDUCTIONS = {"figure10": _reduction_figure10, "released": ReductionB}

NETWORKS: Networks = {"inception_v2": (InceptionV2, {})}
