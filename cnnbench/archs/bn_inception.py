"""BN-Inception. Ioffe, Szegedy: Batch Normalization, ICML 2015, appendix, Figure 5.

| layer   | specification                                  | output (224x224 input)             |
|---------|------------------------------------------------|------------------------------------|
| conv1   | 7x7 / 2, padding 3, 64; max pool 3x3 / 2       | 64x112x112 -> 64x56x56             |
| conv2   | 1x1, 64; 3x3, padding 1, 192; max pool 3x3 / 2 | 192x56x56 -> 192x28x28             |
| 3a - 3c | Inception modules, 3c with stride 2            | 256, 320x28x28, 576x14x14          |
| 4a - 4e | Inception modules, 4e with stride 2            | 576, 576, 608, 608x14x14, 1056x7x7 |
| 5a - 5b | Inception modules                              | 1024, 1024x7x7                     |
| head    | global average; fully connected                | classes                            |

Every convolution is followed by batch normalisation and ReLU; strided max pooling rounds its output size up. A module
concatenates 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool 3x3 / 1, 1x1. A module of stride 2 has no 1x1 branch, stride 2 in the
last convolution of its branches, and passes the pooled maps through.
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.conventions import SameConv2d, SameMaxPool2d, set_norms
from cnnbench.archs.inception_blocks import BasicConv, Concat, Padding, chain, truncated_normal, variance_scaling
from cnnbench.archs.layers import Networks, initialise, require_choice
from cnnbench.archs.network import Network

# Output channels of: 1x1 | 3x3 reduction, 3x3 | double 3x3 reduction, both 3x3 | pool, pool projection.
# No 1x1: stride 2. The paper prints a projection of 128 for 4c and 4d beside an output of 576, which adds up to 608.
LITERAL = {
    "3a": (64, 64, 64, 64, 96, "average", 32),
    "3b": (64, 64, 96, 64, 96, "average", 64),
    "3c": (None, 128, 160, 64, 96, "max", None),
    "4a": (224, 64, 96, 96, 128, "average", 128),
    "4b": (192, 96, 128, 96, 128, "average", 128),
    "4c": (160, 128, 160, 128, 160, "average", 128),
    "4d": (96, 128, 192, 160, 192, "average", 128),
    "4e": (None, 128, 192, 192, 256, "max", None),
    "5a": (352, 192, 320, 160, 224, "average", 128),
    "5b": (352, 192, 320, 192, 224, "max", 128),
}
FILTERS = {
    "literal": LITERAL,
    "slim": {
        **LITERAL,
        "4c": (160, 128, 160, 128, 160, "average", 96),
        "4d": (96, 128, 192, 160, 192, "average", 96),
    },
}


class BNInception(Network):
    """BN-Inception without dropout, LRN or auxiliary heads, as in the paper's BN-x5 and BN-x30 runs.

    `filters`: "literal" (default; the numbers printed in Figure 5, also those of the Caffe port) or "slim"
    (TensorFlow-slim: the sizes printed in Figure 5, 576 maps in 4c and 4d). `separable_conv1`: the first convolution is
    depthwise (8 filters per input channel), then 1x1, as the paper's text and TensorFlow-slim have it; the Caffe port,
    the default, has a dense one. `count_padding`: average pooling counts the padding (Caffe, default) or not (slim).
    `same_padding`: a stride pads an even side on the right and below only (slim) or alike on both (Caffe, default).
    `epsilon`: of batch normalisation, 1e-5 (Caffe, default) or 1e-3 (slim). `conv_bias`: biases under batch
    normalisation, as the Caffe port has them, and pretrained-models.pytorch's copy of it.
    `dropout` (not in the paper) acts before the classifier.
    """

    CLASSIFIER = "fc"

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
        filters: str = "literal",
        separable_conv1: bool = False,
        count_padding: bool = True,
        same_padding: bool = False,
        epsilon: float = 1e-5,
        conv_bias: bool = False,
    ) -> None:
        super().__init__()
        require_choice("bn_inception", "filters", filters, FILTERS)
        if separable_conv1:
            kind, around = (SameConv2d, 0) if same_padding else (nn.Conv2d, 3)
            depthwise = kind(in_channels, 8 * in_channels, 7, 2, around, groups=in_channels, bias=False)
            # slim's separable_conv2d, outside its scope for conv2d, has a bias here and no batch normalisation
            self.conv1: nn.Module = nn.Sequential(depthwise, BasicConv(8 * in_channels, 64, 1))
        else:
            self.conv1 = BasicConv(in_channels, 64, 7, stride=2, padding="same" if same_padding else 3)
        self.maxpool1 = _halving(same_padding)
        self.conv2 = BasicConv(64, 64, 1)
        self.conv3 = BasicConv(64, 192, 3)
        self.maxpool2 = _halving(same_padding)
        self.inception = nn.Sequential()
        channels = 192
        for name, row in FILTERS[filters].items():
            self.inception.add_module(name, _module(channels, *row, count_padding, "same" if same_padding else 1))
            one, _, three, _, double, _, projection = row
            channels = (one or 0) + three + double + (projection or channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        set_norms(self, epsilon, conv_bias)
        self._initialise()

    def _initialise(self) -> None:
        """The paper states none; this is TensorFlow-slim's."""
        initialise(self, variance_scaling)
        truncated_normal(self.conv2.conv.weight, 0.1)
        if isinstance(self.conv1, nn.Sequential):
            truncated_normal(self.conv1[0].get_parameter("weight"), 1.0)
            truncated_normal(self.conv1[1].get_parameter("conv.weight"), 1.0)
        for module in self.inception:
            for branch in module.children():
                if isinstance(branch, nn.Sequential):
                    reduction = isinstance(branch[0], BasicConv)
                    first = branch[0] if reduction else branch[1]
                    truncated_normal(first.get_parameter("conv.weight"), 0.09 if reduction else 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.inception(x)
        return self.fc(self.dropout(x.mean((2, 3))))


def _module(
    channels: int,
    one: int | None,
    reduce3: int,
    three: int,
    reduce_double: int,
    double: int,
    pool: str,
    projection: int | None,
    count_padding: bool,
    around: Padding,
) -> Concat:
    stride = 2 if one is None else 1
    branches: dict[str, nn.Module] = {}
    if one is not None:
        branches["branch1"] = chain(channels, (one, 1))
    branches["branch2"] = chain(channels, (reduce3, 1), (three, 3, stride, around))
    branches["branch3"] = chain(channels, (reduce_double, 1), (double, 3), (double, 3, stride, around))
    if projection is None:
        branches["branch4"] = SameMaxPool2d()  # to the size of the convolutions beside it, also at an odd side
    else:
        average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=count_padding)
        pooling = average if pool == "average" else nn.MaxPool2d(3, stride=1, padding=1)
        branches["branch4"] = nn.Sequential(pooling, chain(channels, (projection, 1)))
    return Concat(**branches)


def _halving(same_padding: bool) -> nn.MaxPool2d:
    return SameMaxPool2d() if same_padding else nn.MaxPool2d(3, stride=2, ceil_mode=True)


NETWORKS: Networks = {"bn_inception": (BNInception, {})}
