"""How large the loss's gradient is in each layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class GradientNorm:
    """Of the weights of one layer: Euclidean norms of the gradient, and of the weights themselves."""

    layer: str
    gradient: float
    weights: float


def gradient_norms(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[GradientNorm]:
    """The norms for the mean cross-entropy of `images` (N, C, H, W) with `labels` (N,), layers in their order.

    Batch normalisation takes the statistics of the batch, as in training, where it has more than one image, and leaves
    its running ones alone; nothing is dropped. `model` is left as it was.
    """
    layers = {
        name: layer.weight
        for name, layer in model.named_modules()
        if isinstance(getattr(layer, "weight", None), nn.Parameter) and layer.weight.dim() > 1  # type: ignore[union-attr]
    }
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and len(images) > 1]
    needed = {name: weight.requires_grad for name, weight in layers.items()}
    for norm in norms:
        norm.train().track_running_stats = False  # the batch's own, and nothing is kept of them
    try:
        for weight in layers.values():
            weight.requires_grad_(True)
        with torch.enable_grad():
            loss = functional.cross_entropy(model(images).float(), labels)
            found = torch.autograd.grad(loss, list(layers.values()), allow_unused=True)
    finally:
        for norm in norms:
            norm.eval().track_running_stats = True
        for name, weight in layers.items():
            weight.requires_grad_(needed[name])
    return [
        GradientNorm(name, gradient.double().norm().item(), layers[name].detach().double().norm().item())
        for name, gradient in zip(layers, found, strict=True)
        if gradient is not None  # an auxiliary head acts in training alone
    ]
