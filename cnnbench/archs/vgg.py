"""VGG. Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015, Table 1.

Every convolution is 3x3 with padding 1 and ReLU; M is max pooling 2x2 / 2. After the last pooling (512x7x7 at 224):
fully connected 4096, ReLU, dropout 0.5, 4096, ReLU, dropout 0.5, classes.
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import initialise, require_size

# Columns of the paper's Table 1: output channels of each convolution.
D = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]

SMALLEST_IMAGE = 32


class VGG(nn.Module):
    """A network of Table 1. The first fully connected layer is as wide as the last map at `image_size`.

    `init`: "glorot" (default) or "paper". The paper draws N(0, 0.01) by variance and starts the deep nets from a
    trained net A; its authors then found Glorot initialisation to make that start unnecessary (section 3.1).
    """

    def __init__(
        self,
        layers: list[int | str],
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        dropout: float = 0.5,
        init: str = "glorot",
    ) -> None:
        super().__init__()
        require_size("vgg", image_size, SMALLEST_IMAGE)
        if init not in INITIALISATIONS:
            raise ValueError(f"vgg has no initialisation '{init}': choose one of {', '.join(INITIALISATIONS)}")
        self.features = _features(layers, in_channels)
        side = image_size // 2 ** layers.count("M")
        self.classifier = nn.Sequential(
            nn.Linear(512 * side * side, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        initialise(self, INITIALISATIONS[init])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


def _features(layers: list[int | str], channels: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    for width in layers:
        if width == "M":
            modules.append(nn.MaxPool2d(2))
        else:
            modules += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return nn.Sequential(*modules)


INITIALISATIONS = {
    "glorot": nn.init.xavier_uniform_,
    "paper": lambda weight: nn.init.normal_(weight, std=0.1),  # variance 1e-2
}

NETWORKS = {"vgg16": (VGG, {"layers": D})}
