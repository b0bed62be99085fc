"""DenseNet-BC. Huang, Liu, van der Maaten, Weinberger: Densely Connected Convolutional Networks, CVPR 2017, Table 1.

| part              | output (224x224) | specification                                                     |
|-------------------|------------------|-------------------------------------------------------------------|
| conv0             | 112x112          | 7x7 / 2, 2k; BN; ReLU                                             |
| pool0             | 56x56            | max 3x3 / 2                                                       |
| dense block 1     | 56x56            | dense layers, each: BN, ReLU, 1x1 4k; BN, ReLU, 3x3 k; its output |
|                   |                  | is appended to its input                                          |
| transition 1      | 28x28            | BN, ReLU, 1x1 to half the channels, average 2x2 / 2               |
| block, transition | 28x28, 14x14     | the same                                                          |
| block, transition | 14x14, 7x7       | the same                                                          |
| dense block 4     | 7x7              | the same                                                          |
| head              | 1x1              | BN, ReLU, global average, fully connected                         |

Growth rate k, and dense layers per block: see NETWORKS. For CIFAR (section 4.2 and 4.3) the stem is a 3x3 convolution
alone, with three blocks of (depth - 4) / 6 layers at 32x32, 16x16 and 8x8.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from cnnbench.archs.activation_checkpointing import recomputed
from cnnbench.archs.conventions import set_norms
from cnnbench.archs.layers import Networks, fan_in_uniform, he_normal, initialise, stem_layers
from cnnbench.archs.network import Network


class DenseNet(Network):
    """DenseNet with bottleneck layers and compression by half (DenseNet-BC).

    `depths`: dense layers per block. `growth`: the paper's k. `stem`: "imagenet" or "cifar" (layers.stem_layers).
    `dropout` (not in the paper) acts before the classifier; `block_dropout` after every convolution but the first
    (section 4.2: 0.2 on CIFAR without augmentation; default 0). `epsilon`: of batch normalisation; Keras's is 1.001e-5.
    `memory_saving` computes what each dense layer needs of its concatenated input again in the backward pass instead
    of keeping it: activations linear in the depth of a block instead of quadratic, the same gradients, about a fifth
    more time (Pleiss et al.: Memory-Efficient Implementation of DenseNets, 2017).
    """

    CLASSIFIER = "classifier"

    def __init__(
        self,
        depths: tuple[int, ...],
        growth: int = 32,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
        stem: str = "imagenet",
        block_dropout: float = 0.0,
        memory_saving: bool = False,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        if not depths or min(*depths, growth) < 1:
            raise ValueError(f"densenet cannot have depths {tuple(depths)} and growth {growth}: each is at least 1")
        channels = 2 * growth
        conv, pool = stem_layers("densenet", stem, in_channels, channels)
        features: OrderedDict[str, nn.Module] = OrderedDict(conv0=conv)
        if stem == "imagenet":
            features |= dict(norm0=nn.BatchNorm2d(channels), relu0=nn.ReLU(inplace=True), pool0=pool)
        for i, depth in enumerate(depths, start=1):
            if i > 1:
                features[f"transition{i - 1}"] = _transition(channels, block_dropout)
                channels //= 2
            layers: OrderedDict[str, nn.Module] = OrderedDict(
                (f"denselayer{j + 1}", DenseLayer(channels + j * growth, growth, block_dropout, memory_saving))
                for j in range(depth)
            )
            features[f"denseblock{i}"] = DenseBlock(layers)
            channels += depth * growth
        features["norm5"] = nn.BatchNorm2d(channels)  # torchvision's name, also after three blocks
        self.features = nn.Sequential(features)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)
        set_norms(self, epsilon)
        initialise(self, he_normal, linear=fan_in_uniform)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.dropout(self.relu(self.features(x)).mean((2, 3))))


class DenseBlock(nn.Sequential):
    """Dense layers in turn; each sees the block's input and the outputs of all layers before it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A tuple: a layer that recomputes in the backward pass needs it unchanged.
        features: tuple[torch.Tensor, ...] = (x,)
        for layer in self:
            features += (layer(features),)
        return torch.cat(features, 1)


class DenseLayer(nn.Module):
    """BN, ReLU, 1x1 to 4k; BN, ReLU, 3x3 to k. Takes all feature maps so far and returns the new one."""

    def __init__(self, channels: int, growth: int, dropout: float, memory_saving: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.memory_saving = memory_saving

    def forward(self, features: tuple[torch.Tensor, ...]) -> torch.Tensor:
        # conv1 is inside because its backward needs its input; the input is computed again, the convolution is not.
        y = recomputed(self._bottleneck, self.norm1, features) if self.memory_saving else self._bottleneck(features)
        y = self.relu2(self.norm2(self.dropout(y)))
        return self.dropout(self.conv2(y))

    def _bottleneck(self, features: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))


def _transition(channels: int, dropout: float) -> nn.Sequential:
    """Between two dense blocks: half the channels, half the side."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
            dropout=nn.Dropout(dropout),
            pool=nn.AvgPool2d(2),
        )
    )


NETWORKS: Networks = {
    "densenet121": (DenseNet, dict(depths=(6, 12, 24, 16), growth=32)),
    "densenet169": (DenseNet, dict(depths=(6, 12, 32, 32), growth=32)),
    "densenet201": (DenseNet, dict(depths=(6, 12, 48, 32), growth=32)),
    "densenet264": (DenseNet, dict(depths=(6, 12, 64, 48), growth=32)),
    "densenet161": (DenseNet, dict(depths=(6, 12, 36, 24), growth=48)),
    "densenet_bc100_12": (DenseNet, dict(depths=(16, 16, 16), growth=12, stem="cifar")),
}
