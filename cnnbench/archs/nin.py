"""Network in Network. Lin, Chen, Yan: Network In Network, ICLR 2014, and its authors' definitions.

| nin (224x224)                            | output    | cifar_nin (32x32)                      | output    |
|------------------------------------------|-----------|----------------------------------------|-----------|
| 11x11 / 4, 96; 1x1, 96; 1x1, 96          | 96x54x54  | 5x5, 192; 1x1, 160; 1x1, 96            | 96x32x32  |
| max pool 3x3 / 2                         | 96x27x27  | max pool 3x3 / 2; dropout 0.5          | 96x16x16  |
| 5x5, 256; 1x1, 256; 1x1, 256             | 256x27x27 | 5x5, 192; 1x1, 192; 1x1, 192           | 192x16x16 |
| max pool 3x3 / 2                         | 256x13x13 | max pool 3x3 / 2; dropout 0.5          | 192x8x8   |
| 3x3, 384; 1x1, 384; 1x1, 384             | 384x13x13 |                                        |           |
| max pool 3x3 / 2; dropout 0.5            | 384x6x6   |                                        |           |
| 3x3, 1024; 1x1, 1024; 1x1, classes       | 6x6       | 3x3, 192; 1x1, 192; 1x1, classes       | 8x8       |
| global average                           | classes   | global average                         | classes   |

Every convolution has a bias and a ReLU, the last one too: no logit is below 0. Convolutions but the first of nin keep
the size of the map; pooling rounds it up. The paper's Figure 2 shows the form alone; the numbers are those of its
authors' cuda-convnet (mavenlin/cuda-convnet, NIN/cifar-10_def) and Caffe model for ILSVRC (gist d802a5849de39225bcc6).
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import Networks
from cnnbench.archs.network import Network

POOL, DROPOUT = "pool", "dropout"
# Of each convolution: channels (None: the classes), side, stride, padding and the deviation of its start.
Conv = tuple[int | None, int, int, int, float]
ILSVRC: tuple[Conv | str, ...] = (
    *((96, 11, 4, 0, 0.01), (96, 1, 1, 0, 0.05), (96, 1, 1, 0, 0.05), POOL),
    *((256, 5, 1, 2, 0.05), (256, 1, 1, 0, 0.05), (256, 1, 1, 0, 0.05), POOL),
    *((384, 3, 1, 1, 0.01), (384, 1, 1, 0, 0.05), (384, 1, 1, 0, 0.05), POOL, DROPOUT),
    *((1024, 3, 1, 1, 0.05), (1024, 1, 1, 0, 0.05), (None, 1, 1, 0, 0.01)),
)
CIFAR: tuple[Conv | str, ...] = (
    *((192, 5, 1, 2, 0.05), (160, 1, 1, 0, 0.05), (96, 1, 1, 0, 0.05), POOL, DROPOUT),
    *((192, 5, 1, 2, 0.05), (192, 1, 1, 0, 0.05), (192, 1, 1, 0, 0.05), POOL, DROPOUT),
    *((192, 3, 1, 1, 0.05), (192, 1, 1, 0, 0.05), (None, 1, 1, 0, 0.05)),
)


class NIN(Network):
    """Images (N, in_channels, H, W) -> logits (N, num_classes), the average of a map for each class; of any size from
    that on at which the last pooling still has a pixel. `table`: its layers. `dropout` acts after poolings."""

    CLASSIFIER = "classifier"

    def __init__(
        self, table: tuple[Conv | str, ...], num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for row in table:
            if isinstance(row, str):
                layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True) if row == POOL else nn.Dropout(dropout))
                continue
            width, side, stride, padding, deviation = row
            conv = nn.Conv2d(in_channels, width or num_classes, side, stride, padding)
            nn.init.normal_(conv.weight, std=deviation)
            nn.init.zeros_(conv.get_parameter("bias"))
            layers += [conv, nn.ReLU(inplace=True)]
            in_channels = conv.out_channels
        self.features = nn.Sequential(*layers[:-2])
        self.classifier, self.last_relu = layers[-2:]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last_relu(self.classifier(self.features(x))).mean((2, 3))


NETWORKS: Networks = {"nin": (NIN, {"table": ILSVRC}), "cifar_nin": (NIN, {"table": CIFAR})}
