"""Batch normalisation folded into convolutions: equal outputs, and what cannot be folded is left."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.archs.folding import fold_batch_norm
from cnnbench.archs.norms import batch_norms
from cnnbench.archs.registry import build


class Joined(nn.Module):
    """A normalisation of a convolution, and one of a sum of it and the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.own, self.joined = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.joined(self.own(self.conv(x)) + x)


def with_statistics(network: nn.Module) -> nn.Module:
    for norm in batch_norms(network).values():
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    return network.double().eval()


@pytest.mark.parametrize(
    ("network", "folded", "left"),
    [(Joined(), 1, 1), (build("resnet20", 10), 19, 0), (build("preact_resnet18", 10), 9, 8)],
)
def test_outputs_are_equal_and_the_network_stays(network, folded, left):
    torch.manual_seed(0)
    network, image = with_statistics(network), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected, before = network(image), {name: value.clone() for name, value in network.state_dict().items()}
    new, *counts = fold_batch_norm(network, image)
    assert counts == [folded, left]
    torch.testing.assert_close(new(image), expected, rtol=1e-10, atol=1e-10)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_without_batch_normalisation_is_refused():
    with pytest.raises(ValueError, match="LeNet has no batch normalisation to fold"):
        fold_batch_norm(build("lenet"), torch.zeros(1, 3, 32, 32))
