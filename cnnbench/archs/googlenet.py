"""GoogLeNet. Szegedy et al.: Going Deeper with Convolutions, CVPR 2015, Table 1.

| layer   | specification                                       | output (224x224 input)               |
|---------|-----------------------------------------------------|--------------------------------------|
| conv1   | 7x7 / 2, padding 3, 64; max pool 3x3 / 2; LRN       | 64x112x112 -> 64x56x56               |
| conv2   | 1x1, 64; 3x3, padding 1, 192; LRN; max pool 3x3 / 2 | 192x56x56 -> 192x28x28               |
| 3a - 3b | Inception modules; max pool 3x3 / 2                 | 256, 480x28x28 -> 480x14x14          |
| 4a - 4e | Inception modules; max pool 3x3 / 2                 | 512, 512, 512, 528, 832x14x14 -> 7x7 |
| 5a - 5b | Inception modules                                   | 832, 1024x7x7                        |
| head    | global average; dropout 0.4; fully connected        | classes                              |

Every convolution has a bias and a ReLU; strided pooling rounds its output size up. A module concatenates
1x1 | 1x1, 3x3 | 1x1, 5x5 | max pool 3x3 / 1, 1x1. Auxiliary heads on 4a and 4d (training only, loss weight 0.3 each):
average pool 5x5 / 3; 1x1, 128; fully connected 1024; ReLU; dropout 0.7; fully connected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import nn

from cnnbench.archs.conventions import SameMaxPool2d
from cnnbench.archs.inception_blocks import BasicConv, Concat, chain
from cnnbench.archs.layers import (
    Networks,
    initialise,
    local_response_norm,
    lrn_form,
    output_size,
    require_choice,
    require_size,
)
from cnnbench.archs.network import Network

SMALLEST_IMAGE = 31
SMALLEST_IMAGE_WITH_AUX = 79  # the 5x5 average pool of the auxiliary heads needs a 5x5 map

# Input channels, then output channels of: 1x1 | 3x3 reduction, 3x3 | 5x5 reduction, 5x5 | pool projection.
TABLE_1 = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
MODULES = {
    "table1": TABLE_1,
    "inception5h": {
        **TABLE_1,
        "4a": (480, 192, 96, 204, 16, 48, 64),
        "4b": (508, 160, 112, 224, 24, 64, 64),
        "5a": (832, 256, 160, 320, 48, 128, 128),
    },
}


class GoogLeNet(Network):
    """GoogLeNet as in the paper, and by switches its well-known variants.

    `batch_norm`: batch normalisation in every convolution and no LRN; alone it is the BN-GoogLeNet of Szegedy et al.
    2016a, Table 3. `lrn`: as layers.lrn_form takes it; the paper's Figure 3 places it without constants, so AlexNet's
    formula is the default ("caffe" to load Caffe's weights). `torchvision`: what torchvision's network does otherwise,
    with batch_norm: its state dict loads as it is. `image_size` only sizes the auxiliary heads; torchvision's take any.
    `modules`: "table1" (default) or "inception5h", what its authors released in 2015 (TensorFlow's inception5h.zip, by
    the sizes in its graph): 204 maps instead of 208 in 4a's 3x3, 48 instead of 32 in 5a's 5x5 reduction. With it belong
    lrn="inception5h", same_padding=True (an even side is padded on the right and below only) and 1008 classes.
    `pool_branch=False` leaves the pooling branch out of every module, which gives so many maps fewer.
    `init`: "caffe" (fan-in uniform, biases 0.2) or "torchvision" (normal, deviation 0.01); the paper states none.
    """

    CLASSIFIER = "fc"
    AUXILIARY_CLASSIFIERS: ClassVar = {"aux1": "aux1.fc2", "aux2": "aux2.fc2"}

    # Made from `modules`:
    inception3a: Concat
    inception3b: Concat
    inception4a: Concat
    inception4b: Concat
    inception4c: Concat
    inception4d: Concat
    inception4e: Concat
    inception5a: Concat
    inception5b: Concat

    # torchvision's transform_input is not part of the network. Its public weights expect inputs normalised by mean and
    # deviation 0.5 instead of ImageNet's; that belongs to the preprocessing.

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        dropout: float = 0.4,
        aux_dropout: float = 0.7,
        aux_heads: bool = True,
        batch_norm: bool = False,
        lrn: str | Mapping[str, Any] = "paper",
        torchvision: bool = False,
        init: str = "caffe",
        modules: str = "table1",
        same_padding: bool = False,
        pool_branch: bool = True,
    ) -> None:
        super().__init__()
        require_size("googlenet", image_size, SMALLEST_IMAGE)
        form = lrn_form("googlenet", lrn)
        norm = partial(local_response_norm, None if batch_norm else form)
        require_choice("googlenet", "initialisation", init, INITIALISATIONS)
        require_choice("googlenet", "modules", modules, MODULES)
        # torchvision inherited a 3x3 where the paper has the 5x5, and a 2x2 for the last strided pooling.
        wide, last_pool = (3, 2) if torchvision else (5, 3)
        # Caffe's 3 on each side; TensorFlow's, same_padding, are 2 before and 3 after, which changes 3 of 100 answers
        self.conv1 = BasicConv(in_channels, 64, 7, 2, "same" if same_padding else 3, batch_norm)
        self.maxpool1 = _halving(same_padding)
        self.norm1 = norm()
        self.conv2 = BasicConv(64, 64, 1, batch_norm=batch_norm)
        self.conv3 = BasicConv(64, 192, 3, batch_norm=batch_norm)
        self.norm2 = norm()
        self.maxpool2 = _halving(same_padding)
        outputs, channels = {}, 192
        for name, (_, *widths) in MODULES[modules].items():
            self.add_module(f"inception{name}", _module(channels, tuple(widths), wide, batch_norm, pool_branch))
            outputs[name] = channels = _maps(widths, pool_branch)
        self.maxpool3 = _halving(same_padding)
        self.maxpool4 = _halving(same_padding, last_pool)
        self.aux_weights = (0.3, 0.3) if aux_heads else ()
        if aux_heads:
            side = None if torchvision else _side_of_aux(image_size, same_padding)
            self.aux1 = AuxiliaryHead(outputs["4a"], num_classes, aux_dropout, batch_norm, side)
            self.aux2 = AuxiliaryHead(outputs["4d"], num_classes, aux_dropout, batch_norm, side)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(outputs["5b"], num_classes)
        INITIALISATIONS[init](self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        with_aux = self.training and bool(self.aux_weights)
        x = self.norm1(self.maxpool1(self.conv1(x)))
        x = self.maxpool2(self.norm2(self.conv3(self.conv2(x))))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = (self.aux1(x),) if with_aux else ()
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = (self.aux2(x),) if with_aux else ()
        x = self.maxpool4(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(x.mean((2, 3))))  # the paper's 7x7 average pool, for any map
        return (logits, *aux1, *aux2) if with_aux else logits


class AuxiliaryHead(nn.Module):
    """Classifier on an intermediate map (section 5), (N, channels, H, W) -> (N, num_classes).

    `side`: of the map that the paper's 5x5 / 3 pooling leaves; None pools any map to torchvision's 4x4, with other
    windows than the paper's where both give 4x4.
    """

    def __init__(self, channels: int, num_classes: int, dropout: float, batch_norm: bool, side: int | None) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4) if side is None else nn.AvgPool2d(5, stride=3)
        self.conv = BasicConv(channels, 128, 1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(128 * (side or 4) ** 2, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.fc1(self.conv(self.pool(x)).flatten(1)))
        return self.fc2(self.dropout(x))


def _module(channels: int, widths: tuple[int, ...], wide: int, batch_norm: bool, pool_branch: bool) -> Concat:
    """`widths`: a row of TABLE_1 after its input channels; `wide`: side of the filters of branch3."""
    one, reduce3, three, reduce5, five, pool = widths
    branches = {
        "branch1": chain(channels, (one, 1), batch_norm=batch_norm),
        "branch2": chain(channels, (reduce3, 1), (three, 3), batch_norm=batch_norm),
        "branch3": chain(channels, (reduce5, 1), (five, wide), batch_norm=batch_norm),
    }
    if pool_branch:
        projection = chain(channels, (pool, 1), batch_norm=batch_norm)
        branches["branch4"] = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), projection)
    return Concat(**branches)


def _maps(widths: Sequence[int], pool_branch: bool) -> int:
    """How many maps a module of these widths gives."""
    one, _, three, _, five, pool = widths
    return one + three + five + (pool if pool_branch else 0)


def _halving(same_padding: bool, kernel: int = 3) -> nn.MaxPool2d:
    return SameMaxPool2d() if same_padding else nn.MaxPool2d(kernel, stride=2, ceil_mode=True)


def _side_of_aux(image_size: int, same_padding: bool) -> int:
    """Of the map that the auxiliary heads' pooling leaves."""
    what = "googlenet with auxiliary heads (aux_heads=False leaves them out)"
    require_size(what, image_size, SMALLEST_IMAGE_WITH_AUX)
    return output_size(_side_at_4a(image_size, same_padding), 5, 3)


def _side_at_4a(image_size: int, same_padding: bool) -> int:
    if same_padding:
        return -(-image_size // 16)  # halved four times, rounded up
    side = output_size(image_size, 7, 2, 3)
    for _ in range(3):
        side = output_size(side, 3, 2, ceil=True)
    return side


def _caffe(network: GoogLeNet) -> None:
    initialise(network, lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="linear"), bias=0.2)
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and layer.out_features == network.fc.out_features:
            nn.init.zeros_(layer.bias)


INITIALISATIONS = {
    "caffe": _caffe,
    "torchvision": lambda network: initialise(network, lambda weight: nn.init.trunc_normal_(weight, std=0.01)),
}

NETWORKS: Networks = {
    "googlenet": (GoogLeNet, {}),
    "googlenet_tv": (
        GoogLeNet,
        {"torchvision": True, "batch_norm": True, "dropout": 0.2, "init": "torchvision"},
    ),
}
