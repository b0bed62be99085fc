"""VGG. Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015, Table 1.

Every convolution is 3x3 with padding 1 and ReLU; M is max pooling 2x2 / 2. After the last pooling (512x7x7 at 224):
fully connected 4096, ReLU, dropout 0.5, 4096, ReLU, dropout 0.5, classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from cnnbench.archs.layers import (
    LRN_FORMS,
    LocalResponseNorm,
    Networks,
    activation_layer,
    fully_connected,
    initialise,
    require_choice,
    require_size,
)
from cnnbench.archs.network import Network

SMALLEST_IMAGE = 32

# Columns of the paper's Table 1: output channels of each convolution; (channels, 1) is a 1x1 convolution. B-5x5 is not
# in the table: B with each pair of 3x3 convolutions replaced by one 5x5 (section 4.1).
# fmt: off
COLUMNS: dict[str, list[int | str | tuple[int, int]]] = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "A-LRN": [64, "LRN", "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B-5x5": [(64, 5), "M", (128, 5), "M", (256, 5), "M", (512, 5), "M", (512, 5), "M"],
    "C": [64, 64, "M", 128, 128, "M", 256, 256, (256, 1), "M", 512, 512, (512, 1), "M", 512, 512, (512, 1), "M"],
    "D": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"],
    "E": [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M"],
}
# fmt: on


class VGG(Network):
    """A network of Table 1. The first fully connected layer is as wide as the last map at `image_size`.

    `column`: a key of COLUMNS; "C", "A-LRN" and "B-5x5" have no key of their own: build("vgg16", column="C"),
    build("vgg11", column="A-LRN"). `batch_norm` (not in the paper) follows each convolution, which keeps its bias, as
    in torchvision. `activation`: a key of layers.ACTIVATIONS; the paper has ReLU alone. `init`: "glorot" (default) or
    "paper". The paper draws N(0, 0.01) by variance and starts the deep nets from a trained net A; its authors then
    found Glorot initialisation to make that start unnecessary (section 3.1).
    """

    CLASSIFIER = "classifier.6"

    def __init__(
        self,
        column: str,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        dropout: float = 0.5,
        batch_norm: bool = False,
        init: str = "glorot",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        require_size("vgg", image_size, SMALLEST_IMAGE)
        require_choice("vgg", "column", column, COLUMNS)
        require_choice("vgg", "initialisation", init, INITIALISATIONS)
        act = activation_layer("vgg", activation)
        self.features = _features(COLUMNS[column], in_channels, batch_norm, act)
        side = image_size // 2 ** COLUMNS[column].count("M")
        self.classifier = fully_connected(512 * side * side, num_classes, dropout, act)
        initialise(self, INITIALISATIONS[init])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


def _features(
    layers: list[int | str | tuple[int, int]], channels: int, batch_norm: bool, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, str):
            # LRN: section 2.1, with the constants of AlexNet
            modules.append(nn.MaxPool2d(2) if layer == "M" else LocalResponseNorm(**LRN_FORMS["paper"]))
        else:
            width, kernel = layer if isinstance(layer, tuple) else (layer, 3)
            modules.append(nn.Conv2d(channels, width, kernel, padding=kernel // 2))
            if batch_norm:
                modules.append(nn.BatchNorm2d(width))
            modules.append(activation())
            channels = width
    return nn.Sequential(*modules)


INITIALISATIONS = {
    "glorot": nn.init.xavier_uniform_,
    "paper": lambda weight: nn.init.normal_(weight, std=0.1),  # variance 1e-2
}

NETWORKS: Networks = {
    "vgg11": (VGG, {"column": "A"}),
    "vgg11_bn": (VGG, {"column": "A", "batch_norm": True}),
    "vgg13": (VGG, {"column": "B"}),
    "vgg13_bn": (VGG, {"column": "B", "batch_norm": True}),
    "vgg16": (VGG, {"column": "D"}),
    "vgg16_bn": (VGG, {"column": "D", "batch_norm": True}),
    "vgg19": (VGG, {"column": "E"}),
    "vgg19_bn": (VGG, {"column": "E", "batch_norm": True}),
}
