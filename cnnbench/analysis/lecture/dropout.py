"""Dropout: what averaging its 2^n networks comes to, by enumerating all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from cnnbench.analysis.tables import Table

CLASSES = 5
MOST_UNITS = 16  # 65,536 masks
DRAWS = (10, 100, 1000)  # of Monte-Carlo dropout


def masks(units: int) -> torch.Tensor:
    """All masks of `units` units, each kept (1) or dropped (0): float64 (2^units, units)."""
    return (torch.arange(2**units)[:, None] >> torch.arange(units) & 1).double()


@dataclass(frozen=True)
class Small:
    """A network on one input x (n,): float64 weights of two hidden layers of n units, and of the classifier."""

    x: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    last: torch.Tensor

    def linear(self, masks: torch.Tensor) -> torch.Tensor:
        """The outputs (m, CLASSES) of the classifier alone on the inputs that `masks` (m, n) leave."""
        return (masks * self.x) @ self.last

    def deep(self, masks: torch.Tensor) -> torch.Tensor:
        """The probabilities (m, CLASSES) of the classifier on two ReLU layers."""
        hidden = functional.relu((masks * self.x) @ self.first)
        return (functional.relu(hidden @ self.second) @ self.last).softmax(-1)


def small(units: int) -> tuple[Small, torch.Tensor]:
    """A network of `units` units, and masks drawn for it, (max(DRAWS), units). The global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x, *weights = (torch.randn(units, *more, dtype=torch.float64) for more in ((), (units,), (units,), (CLASSES,)))
        drawn = torch.randint(2, (max(DRAWS), units)).double()
    return Small(x, *(weight * (2 / units) ** 0.5 for weight in weights)), drawn


def deep_example(units: int = 10) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities of the deep network under every mask (2^units, CLASSES), their mean, and those with halved "
    "weights."""
    network, _ = small(units)
    every = network.deep(masks(units))
    return every, every.mean(0), network.deep(torch.full((units,), 0.5, dtype=torch.float64))


def dropout_networks(units: int = 10) -> list[Table]:
    """All 2^n masks of a small network at rate 0.5, beside the network with its weights scaled.

    One linear layer: the arithmetic mean of the outputs. A softmax on it: the normalised geometric mean of the
    probabilities. Two ReLU layers between: the means of the probabilities, which scaling only comes near.
    Raises ValueError for a number of units whose masks cannot be enumerated.
    """
    if not 1 <= units <= MOST_UNITS:
        raise ValueError(f"units={units} has 2^{units} masks: choose 1 to {MOST_UNITS}")
    network, drawn = small(units)
    linear = network.linear(masks(units))
    scaled = network.linear(torch.full((units,), 0.5, dtype=torch.float64))
    every, exact, at_test = deep_example(units)
    means = (
        ("linear", "arithmetic mean of the outputs", linear.mean(0), scaled),
        ("softmax", "normalised geometric mean", geometric_mean(linear.softmax(1)), scaled.softmax(0)),
        ("softmax", "arithmetic mean", linear.softmax(1).mean(0), scaled.softmax(0)),
        ("two ReLU layers", "normalised geometric mean", geometric_mean(every), at_test),
        ("two ReLU layers", "arithmetic mean", exact, at_test),
        *(
            ("two ReLU layers", f"{n:,} masks drawn, against all", network.deep(drawn[:n]).mean(0), exact)
            for n in DRAWS
        ),
    )
    rows = [(what, mean, (a - b).abs().max().item()) for what, mean, a, b in means]
    columns = {"network": "", f"mean over its {2**units:,} networks": "", "largest difference": ".1e"}
    notes = [
        f"lecture: dropout trains 2^n networks and combines them at test. n = {units} inputs, rate 0.5: all "
        f"{2**units:,} "
        "masks are enumerated, in float64; differences from ONE network with its weights halved",
        "one layer: exact, of the geometric mean after a softmax (Hinton et al. 2012; Baldi and Sadowski 2013); with "
        "layers above it is an approximation, and the difference is in probability",
        "Monte-Carlo dropout draws masks at test as well and averages (Gal and Ghahramani 2016): last rows, the "
        "difference from the mean over all masks",
    ]
    return [Table("Dropout's 2^n networks", columns, rows, notes)]


def geometric_mean(probabilities: torch.Tensor) -> torch.Tensor:
    """The geometric mean of rows of probabilities (m, classes), normalised to sum to 1: (classes,)."""
    return probabilities.log().mean(0).softmax(0)
