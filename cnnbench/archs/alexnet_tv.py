"""AlexNet of torchvision. Krizhevsky: One weird trick for parallelizing convolutional neural networks, 2014.

| layer | specification                                    | output (224x224 input) |
|-------|--------------------------------------------------|------------------------|
| conv1 | 11x11 / 4, padding 2, 64; ReLU; max pool 3x3 / 2 | 64x55x55 -> 64x27x27   |
| conv2 | 5x5, padding 2, 192; ReLU; max pool 3x3 / 2      | 192x27x27 -> 192x13x13 |
| conv3 | 3x3, padding 1, 384; ReLU                        | 384x13x13              |
| conv4 | 3x3, padding 1, 256; ReLU                        | 256x13x13              |
| conv5 | 3x3, padding 1, 256; ReLU; max pool 3x3 / 2      | 256x13x13 -> 256x6x6   |
| fc6   | dropout 0.5; fully connected, 4096; ReLU         | 4096                   |
| fc7   | dropout 0.5; fully connected, 4096; ReLU         | 4096                   |
| fc8   | fully connected                                  | classes                |
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import Networks
from cnnbench.archs.network import Network


class AlexNetTV(Network):
    """One tower, no groups, no LRN; dropout stands before each of the first two fully connected layers.

    torchvision's state dict loads as it is. An adaptive average pool brings the last map to 6x6, so that any image of
    at least 63x63 fits. Weights start as torch's layers do, as in torchvision.
    """

    CLASSIFIER = "classifier.6"

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


NETWORKS: Networks = {"alexnet_tv": (AlexNetTV, {})}
