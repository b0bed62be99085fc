"""Monte-Carlo dropout: the networks of dropout drawn at test, and their probabilities averaged.

Gal and Ghahramani 2016, Dropout as a Bayesian Approximation, section 4 and equation 6. Each draw is one of dropout's
2^n networks and the same for all images, so that neither batch nor processes change a result.
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.evaluation.probabilities import log_mean_probability


class SampledDropout(nn.Module):
    """`network` under `draws` masks of its dropout: images (N, C, H, W) -> logarithms of the mean probabilities,
    float64 (N, classes). Its dropout layers are replaced in place. Raises ValueError if none of them drops."""

    def __init__(self, network: nn.Module, draws: int) -> None:
        super().__init__()
        self.layers: list[DrawnMask] = []
        for module in [*network.modules()]:
            for name, child in [*module.named_children()]:
                if isinstance(child, nn.Dropout) and child.p > 0:
                    self.layers.append(DrawnMask(child.p, len(self.layers)))
                    setattr(module, name, self.layers[-1])
        if not self.layers:
            raise ValueError("there is no dropout to draw")
        self.network, self.draws = network, draws

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = []
        for draw in range(self.draws):
            for layer in self.layers:
                layer.draw = draw
            logits.append(self.network(x))
        return log_mean_probability(torch.stack(logits, 1))


class DrawnMask(nn.Module):
    """Drops the units of one mask, the same for all images of a batch, and divides the others by 1 - p, as dropout in
    training. The mask follows from `draw` and `number`, this layer's place in the network."""

    def __init__(self, p: float, number: int) -> None:
        super().__init__()
        self.p, self.number, self.draw = p, number, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1000 * self.draw + self.number)
        kept = torch.rand(x.shape[1:], generator=generator) >= self.p
        return x * (kept / (1 - self.p)).to(x.device, x.dtype)
