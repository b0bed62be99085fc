"""Layers and helpers that several families share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, ceil: bool = False) -> int:
    """Side length after a convolution or pooling: (N + 2P - K) / S + 1, rounded down, or up if `ceil`.

    As in torch, a last window that would start in the right padding is dropped.
    """
    span = size + 2 * padding - kernel
    out = (-(-span // stride) if ceil else span // stride) + 1
    return out - 1 if ceil and (out - 1) * stride >= size + padding else out


def require_size(network: str, image_size: int, smallest: int) -> None:
    """Raise ValueError if an image of side `image_size` is too small for `network`."""
    if image_size < smallest:
        raise ValueError(f"image size {image_size} is too small for {network}: it needs at least {smallest}")


class LocalResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation over channels, computed in float32 also under autocast (a sum of squares).

    `alpha` multiplies the SUM over the window, as the paper writes it (Krizhevsky et al. 2012, section 3.3); torch
    divides its own alpha by the window size.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__(size, alpha * size, beta, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float()).to(x.dtype)


def initialise(module: nn.Module, weight: Callable[[torch.Tensor], object], bias: float = 0.0) -> None:
    """Initialise every convolution and linear layer below `module`: weights by `weight`, biases to `bias`.

    Batch normalisation keeps torch's start: scale 1, shift 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)


def he_normal(weight: torch.Tensor) -> None:
    """He initialisation over the fan-out, N(0, 2 / (k k c_out)), as in fb.resnet.torch (He et al. 2015)."""
    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
