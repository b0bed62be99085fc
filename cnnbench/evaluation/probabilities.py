"""Several opinions on one image, of its views or of several networks, averaged as probabilities.

Kept as logarithms in float64, so that classes whose probability is next to nothing keep their order.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from cnnbench.runtime.devices import exact


class OverViews(nn.Module):
    """`network` over all views of each image: (N views, C, H, W) -> logarithms of mean probabilities, float64
    (N, classes). `mirrored`: each view left to right and as it is."""

    def __init__(self, network: nn.Module, views: int, mirrored: bool) -> None:
        super().__init__()
        self.network, self.views, self.mirrored = network, views, mirrored

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x, x.flip(3)] if self.mirrored else [x]
        logits = torch.stack([self.network(images) for images in seen], 1)  # (N views, 1 or 2, classes)
        return log_mean_probability(logits.reshape(len(x) // self.views, -1, logits.shape[-1]))


def log_mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """The logarithm of the mean over dimension 1 of softmax(logits): (N, M, classes) -> float64 (N, classes)."""
    return exact(logits).log_softmax(2).logsumexp(1) - math.log(logits.shape[1])
