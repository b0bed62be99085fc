"""ZFNet. Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, Figure 3.

| layer | specification                                                   | output (224x224 input) |
|-------|-----------------------------------------------------------------|------------------------|
| conv1 | 7x7 / 2, padding 1, 96; ReLU; max pool 3x3 / 2, rounded up; LRN | 96x110x110 -> 96x55x55 |
| conv2 | 5x5 / 2, 256; ReLU; max pool 3x3 / 2, rounded up; LRN           | 256x26x26 -> 256x13x13 |
| conv3 | 3x3, padding 1, 384 (b: 512); ReLU                              | 384x13x13              |
| conv4 | 3x3, padding 1, 384 (b: 1024); ReLU                             | 384x13x13              |
| conv5 | 3x3, padding 1, 256 (b: 512); ReLU; max pool 3x3 / 2            | 256x13x13 -> 256x6x6   |
| fc6   | fully connected, 4096; ReLU; dropout 0.5                        | 4096                   |
| fc7   | fully connected, 4096; ReLU; dropout 0.5                        | 4096                   |
| fc8   | fully connected                                                 | classes                |

The paper states no padding: the one here follows from the map sizes that its Figure 3 prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cnnbench.archs.layers import (
    Networks,
    fully_connected,
    initialise,
    local_response_norm,
    lrn_form,
    output_size,
    require_choice,
    require_size,
)
from cnnbench.archs.network import Network

SMALLEST_IMAGE = 63

VARIANTS = {"a": (384, 384, 256), "b": (512, 1024, 512)}  # conv3, conv4, conv5 (section 5.1)


class ZFNet(Network):
    """ZFNet of Figure 3, without groups; normalisation follows the pooling.

    `variant`: "a" (default, Figure 3) or "b", the paper's wider layers 3, 4, 5. `lrn`: as layers.lrn_form takes it; the
    paper gives no constants, so AlexNet's formula is the default.
    """

    CLASSIFIER = "classifier.6"

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        dropout: float = 0.5,
        variant: str = "a",
        lrn: str | Mapping[str, Any] = "paper",
    ) -> None:
        super().__init__()
        require_size("zfnet", image_size, SMALLEST_IMAGE)
        require_choice("zfnet", "variant", variant, VARIANTS)
        form = lrn_form("zfnet", lrn)
        conv3, conv4, conv5 = VARIANTS[variant]
        side = output_size(output_size(image_size, 7, 2, 1), 3, 2, ceil=True)
        side = output_size(output_size(side, 5, 2), 3, 2, ceil=True)
        side = output_size(side, 3, 2)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, 7, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            local_response_norm(form),
            nn.Conv2d(96, 256, 5, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            local_response_norm(form),
            nn.Conv2d(256, conv3, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(conv3, conv4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(conv4, conv5, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = fully_connected(conv5 * side * side, num_classes, dropout)
        initialise(self, lambda weight: nn.init.normal_(weight, std=0.01))  # "10^-2" of section 3, read as a deviation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


def renormalise_filters(weight: torch.Tensor, radius: float = 0.1) -> torch.Tensor:
    """The filters of a convolution with each root mean square above `radius` brought down to it (section 3).

    `weight` (c_out, c_in, k, k), float; the result is a new tensor of that shape. The paper applies it to every
    convolution during training, so that no filter of the first layer dominates.
    """
    rms = weight.square().mean((1, 2, 3), keepdim=True).sqrt()
    return weight * (radius / rms.clamp(min=radius))


NETWORKS: Networks = {"zfnet": (ZFNet, {})}
