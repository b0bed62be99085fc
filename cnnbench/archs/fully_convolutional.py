"""Networks on whole images: fully connected layers as convolutions (Sermanet et al. 2014; VGG, section 3.2)."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from cnnbench.archs.lenet import LeNet


class FullyConvolutional(nn.Module):
    """`network` on images (N, C, H, W) of any size from that of its training on: logits (N, classes).

    The classifier looks at every place of the last map that its window fits on; the map of logits is averaged. A
    network that ends in a global average does that as it is: the average of a linear classifier's map is the classifier
    of the average. For those that cannot, see the key arch.not_whole.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = _logits(self.network, x)
        return logits if logits.dim() == 2 else logits.mean((2, 3))


def _logits(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A map of logits (N, classes, H', W'), or (N, classes) where the network averages by itself."""
    if isinstance(network, LeNet):
        x = network.s2(network.activate(network.c1(x)))
        x = network.s4(network.activate(network.c3(x)))
        for layer in (network.c5, network.f6):
            x = network.activate(as_convolution(layer, x))
        return as_convolution(network.output, x)
    features, classifier = getattr(network, "features", None), getattr(network, "classifier", None)
    if isinstance(features, nn.Module) and isinstance(classifier, nn.Sequential):  # AlexNet, ZFNet, VGG
        x = features(x)
        for part in classifier:
            x = as_convolution(part, x) if isinstance(part, nn.Linear) else part(x)
        return x
    return network(x)


def as_convolution(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """`layer` on every window (N, C, k, k) of a map (N, C, H, W), with C k k its inputs: (N, outputs, H-k+1, W-k+1)."""
    channels = x.shape[1]
    side = math.isqrt(layer.in_features // channels)
    weight = layer.weight.view(layer.out_features, channels, side, side)
    return functional.conv2d(x, weight, layer.bias)
