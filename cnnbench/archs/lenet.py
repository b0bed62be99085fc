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

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from cnnbench.archs.layers import Networks, initialise, output_size, require_choice, require_size
from cnnbench.archs.network import Network

SMALLEST_IMAGE = 32

# The paper's Table I: the maps of S2 that each map of C3 sees.
# fmt: off
C3_INPUTS = [
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
]
# fmt: on


class LeNet(Network):
    """LeNet-5. By default its modern form: every map of C3 sees every map of S2, and pooling has no weights.

    `sparse_c3=True` connects C3 by the paper's Table I; `trainable_pooling=True` gives each map of S2 and S4 a
    coefficient, a bias and a squashing function. With both, one input channel and the output layer left out of the
    count, these are the paper's 60,000 parameters. The output is linear in either form. `dropout` (not in the paper)
    acts before the output layer.

    `init`: "efficient_backprop" (default), N(0, 1 / fan-in), of the same author and year (Efficient BackProp, section
    4.6), or "paper", uniform in +-2.4 / fan-in, which starts so flat that it needs the paper's second-order rates:
    plain SGD stays at the loss of guessing for epochs.

    `activation`: "scaled_tanh" (default; the paper's) or another of ACTIVATIONS, wherever the paper squashes.
    """

    CLASSIFIER = "output"

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 32,
        dropout: float = 0.0,
        sparse_c3: bool = False,
        trainable_pooling: bool = False,
        init: str = "efficient_backprop",
        activation: str = "scaled_tanh",
    ) -> None:
        super().__init__()
        require_size("lenet", image_size, SMALLEST_IMAGE)
        require_choice("lenet", "initialisation", init, INITIALISATIONS)
        require_choice("lenet", "activation", activation, ACTIVATIONS)
        self.activate = ACTIVATIONS[activation]
        side = output_size(output_size(image_size, 5), 2, 2)
        side = output_size(output_size(side, 5), 2, 2)
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = _Subsampling(6, self.activate) if trainable_pooling else nn.AvgPool2d(2)
        self.c3 = _SparseConv() if sparse_c3 else nn.Conv2d(6, 16, 5)
        self.s4 = _Subsampling(16, self.activate) if trainable_pooling else nn.AvgPool2d(2)
        self.c5 = nn.Linear(16 * side * side, 120)  # the paper's 5x5 convolution over the whole 5x5 map
        self.f6 = nn.Linear(120, 84)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(84, num_classes)  # paper: Euclidean RBF units with fixed 84-bit codes
        initialise(self, INITIALISATIONS[init])
        if isinstance(self.c3, _SparseConv):
            self.c3.initialise(INITIALISATIONS[init])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.s2(self.activate(self.c1(x)))
        x = self.s4(self.activate(self.c3(x)))
        x = self.activate(self.c5(x.flatten(1)))
        x = self.activate(self.f6(x))
        return self.output(self.dropout(x))


class _SparseConv(nn.Module):
    """C3 of the paper, (N, 6, H, W) -> (N, 16, H - 4, W - 4): each output map sees the input maps of C3_INPUTS.

    Weights are (60, 5, 5), one filter for each connection, in the order of the table. They are laid into the weights of
    a dense convolution, zero where there is no connection: a tenth of the time of a convolution for each map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places = [6 * output + source for output, inputs in enumerate(C3_INPUTS) for source in inputs]
        self.weight = nn.Parameter(torch.empty(len(self.places), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(C3_INPUTS)))

    def initialise(self, fill: Callable[[torch.Tensor], object]) -> None:
        """Fill the weights of each output map, (1, inputs, 5, 5), so that its fan-in is its own."""
        for weight in self.weight.data.split([len(inputs) for inputs in C3_INPUTS]):
            fill(weight[None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = torch.tensor(self.places, device=x.device)
        dense = self.weight.new_zeros(6 * len(C3_INPUTS), 5, 5).index_copy(0, places, self.weight)
        return functional.conv2d(x, dense.view(-1, 6, 5, 5), self.bias)


class _Subsampling(nn.Module):
    """S2 and S4 of the paper: the sum of 2x2 pixels times a coefficient plus a bias, one pair per map, squashed."""

    def __init__(self, channels: int, activate: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.activate = activate
        self.coefficient = nn.Parameter(torch.empty(channels, 1, 1).uniform_(-2.4 / 4, 2.4 / 4))  # fan-in 4
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.average = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activate(4 * self.coefficient * self.average(x) + self.bias)


def squash(x: torch.Tensor) -> torch.Tensor:
    """The paper's scaled hyperbolic tangent, 1.7159 tanh(2x / 3) (section II-B and appendix A)."""
    return 1.7159 * torch.tanh(x * (2 / 3))


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "scaled_tanh": squash,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky_relu": functional.leaky_relu,
}


INITIALISATIONS = {
    "efficient_backprop": lambda weight: nn.init.normal_(weight, std=weight[0].numel() ** -0.5),
    "paper": lambda weight: nn.init.uniform_(weight, -2.4 / weight[0].numel(), 2.4 / weight[0].numel()),
}

NETWORKS: Networks = {"lenet": (LeNet, {})}
