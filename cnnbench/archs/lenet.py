"""LeNet-5. LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, 1998, section II-B.

| layer  | specification        | output (32x32 input) |
|--------|----------------------|----------------------|
| C1     | conv 5x5, 6          | 6x28x28              |
| S2     | average pool 2x2 / 2 | 6x14x14              |
| C3     | conv 5x5, 16         | 16x10x10             |
| S4     | average pool 2x2 / 2 | 16x5x5               |
| C5     | conv 5x5, 120        | 120x1x1              |
| F6     | fully connected, 84  | 84                   |
| output | fully connected      | classes              |
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.layers import initialise, output_size, require_size

SMALLEST_IMAGE = 32


class LeNet(nn.Module):
    """LeNet-5 in its modern form: every map of C3 sees every map of S2, pooling has no weights, the output is linear.

    Deviations from the paper, each a line below: full C3, plain average pooling, linear output for the RBF units.
    `dropout` (not in the paper) acts before the output layer. `init`: "efficient_backprop" (default), N(0, 1 / fan-in),
    of the same author and year (Efficient BackProp, section 4.6), or "paper", uniform in +-2.4 / fan-in, which starts
    so flat that it needs the paper's second-order rates: plain SGD stays at the loss of guessing for epochs.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 32,
        dropout: float = 0.0,
        init: str = "efficient_backprop",
    ) -> None:
        super().__init__()
        require_size("lenet", image_size, SMALLEST_IMAGE)
        if init not in INITIALISATIONS:
            raise ValueError(f"lenet has no initialisation '{init}': choose one of {', '.join(INITIALISATIONS)}")
        side = output_size(output_size(image_size, 5), 2, 2)
        side = output_size(output_size(side, 5), 2, 2)
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)  # paper: sparse table of connections, 1516 weights instead of 2416
        self.c5 = nn.Linear(16 * side * side, 120)  # the paper's 5x5 convolution over the whole 5x5 map
        self.f6 = nn.Linear(120, 84)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(84, num_classes)  # paper: Euclidean RBF units with fixed 84-bit codes
        self.pool = nn.AvgPool2d(2)  # paper: trainable coefficient and bias, then squashing
        initialise(self, INITIALISATIONS[init])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(squash(self.c1(x)))
        x = self.pool(squash(self.c3(x)))
        x = squash(self.c5(x.flatten(1)))
        x = squash(self.f6(x))
        return self.output(self.dropout(x))


def squash(x: torch.Tensor) -> torch.Tensor:
    """The paper's scaled hyperbolic tangent, 1.7159 tanh(2x / 3) (section II-B and appendix A)."""
    return 1.7159 * torch.tanh(x * (2 / 3))


INITIALISATIONS = {
    "efficient_backprop": lambda weight: nn.init.normal_(weight, std=weight[0].numel() ** -0.5),
    "paper": lambda weight: nn.init.uniform_(weight, -2.4 / weight[0].numel(), 2.4 / weight[0].numel()),
}

NETWORKS = {"lenet": (LeNet, {})}
