"""What the code that public weights were trained by does otherwise than torch: padding, biases, epsilon.

| trained by                     | zeros around a side that is halved | batch normalisation's epsilon, biases under it |
|--------------------------------|------------------------------------|------------------------------------------------|
| torch, torchvision             | as many before as after it         | 1e-5 (Inception: 1e-3), none                   |
| TensorFlow, padding "same"     | an odd one after it                | 1e-3 in slim and Keras's Inceptions, none      |
| Keras's ResNets and DenseNets  | as torch, in a layer of their own  | 1.001e-5, in the ResNets                       |
| Caffe's BN-Inception           | as torch, pools rounded up         | 1e-5, in every convolution                     |
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after a side by TensorFlow's "same": the output has side / stride pixels, rounded up, and an
    odd pixel of padding comes after."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution with zeros around its input by `same_padding`, whatever its size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = zip(x.shape[2:], self.kernel_size, self.stride, strict=True)
        height, width = (same_padding(*side) for side in sides)
        return super().forward(functional.pad(x, (*width, *height)))


class SameMaxPool2d(nn.MaxPool2d):
    """Max pooling 3x3 / 2 by `same_padding`: to half the side, rounded up."""

    def __init__(self) -> None:
        super().__init__(3, stride=2, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Rounding up pads an even side after it alone; an odd one has a pixel of padding on each side.
        odd = (x.shape[2] % 2, x.shape[3] % 2)
        return functional.max_pool2d(x, self.kernel_size, self.stride, padding=odd, ceil_mode=True)


def set_norms(network: nn.Module, epsilon: float, conv_bias: bool = False) -> None:
    """Set the epsilon of every batch normalisation of `network`; with `conv_bias` every convolution gets a bias, from 0
    on. Under batch normalisation that only shifts the running mean, but files of other code hold one.

    Raises ValueError unless epsilon is above 0.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon={epsilon} is not above 0, as batch normalisation needs it")
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = epsilon
        elif conv_bias and isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_channels))
