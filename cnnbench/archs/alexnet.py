"""AlexNet. Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012.

| layer | specification                                                | output (224x224 input) |
|-------|--------------------------------------------------------------|------------------------|
| conv1 | 11x11 / 4, padding 2, 96; ReLU; LRN; max pool 3x3 / 2        | 96x55x55 -> 96x27x27   |
| conv2 | 5x5, padding 2, 256, two groups; ReLU; LRN; max pool 3x3 / 2 | 256x27x27 -> 256x13x13 |
| conv3 | 3x3, padding 1, 384; ReLU                                    | 384x13x13              |
| conv4 | 3x3, padding 1, 384, two groups; ReLU                        | 384x13x13              |
| conv5 | 3x3, padding 1, 256, two groups; ReLU; max pool 3x3 / 2      | 256x13x13 -> 256x6x6   |
| fc6   | fully connected, 4096; ReLU; dropout 0.5                     | 4096                   |
| fc7   | fully connected, 4096; ReLU; dropout 0.5                     | 4096                   |
| fc8   | fully connected                                              | classes                |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from cnnbench.archs.layers import (
    LRNForm,
    Networks,
    activation_layer,
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
POOLINGS = {"overlapping": (3, 2), "plain": (2, 2)}  # kernel and stride (section 3.4)


class AlexNet(Network):
    """AlexNet as the paper's Figure 2 draws it: two groups, overlapping pooling, LRN after ReLU.

    `lrn`: as layers.lrn_form takes it. `split_lrn`: normalise each half of the channels on its own, as the authors'
    two-GPU code did; the formula in the paper runs over all maps (the default). `bias`: start of the biases that the
    paper sets to 1 (conv2, conv4, conv5, fc6, fc7); Caffe uses 0.1. `norm_after_pool`: pool first and then normalise,
    with lrn="caffe" CaffeNet (BVLC/caffe, models/bvlc_reference_caffenet).

    What its sections 3.1, 3.3 and 3.4 compare with: `activation`, a key of layers.ACTIVATIONS; lrn="none"; `pooling`
    "plain", 2x2 / 2, whose maps are as large as those of the "overlapping" 3x3 / 2 (default) at 224 pixels.
    """

    CLASSIFIER = "classifier.6"

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        dropout: float = 0.5,
        lrn: str | Mapping[str, Any] = "paper",
        split_lrn: bool = False,
        bias: float = 1.0,
        activation: str = "relu",
        pooling: str = "overlapping",
        norm_after_pool: bool = False,
    ) -> None:
        super().__init__()
        require_size("alexnet", image_size, SMALLEST_IMAGE)
        require_choice("alexnet", "pooling", pooling, POOLINGS)
        act = activation_layer("alexnet", activation)
        norm = partial(_SplitNorm, 2 if split_lrn else 1, lrn_form("alexnet", lrn))
        pool = partial(nn.MaxPool2d, *POOLINGS[pooling])
        after = (pool, norm) if norm_after_pool else (norm, pool)
        side = output_size(image_size, 11, 4, 2)
        for _ in range(3):
            side = output_size(side, *POOLINGS[pooling])
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, 11, stride=4, padding=2),  # "224" of the paper needs this padding to give 55
            act(),
            *(layer() for layer in after),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            act(),
            *(layer() for layer in after),
            nn.Conv2d(256, 384, 3, padding=1),
            act(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            act(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            act(),
            pool(),
        )
        self.classifier = fully_connected(256 * side * side, num_classes, dropout, act)
        initialise(self, lambda weight: nn.init.normal_(weight, std=0.01))  # section 5
        for layer in (self.features[4], self.features[10], self.features[12], self.classifier[0], self.classifier[3]):
            nn.init.constant_(layer.get_parameter("bias"), bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class _SplitNorm(nn.Module):
    """Local response normalisation over all channels, or over each of `parts` equal parts of them."""

    def __init__(self, parts: int, form: LRNForm | None) -> None:
        super().__init__()
        self.parts = parts
        self.norm = local_response_norm(form)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        return self.norm(x.reshape(n * self.parts, c // self.parts, h, w)).reshape(n, c, h, w)


NETWORKS: Networks = {"alexnet": (AlexNet, {})}
