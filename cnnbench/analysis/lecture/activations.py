"""Claims about ReLU: saturation, sparsity, dead units."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cnnbench.analysis.tables import Table
from cnnbench.archs.layers import ACTIVATIONS

FLAT = 0.1  # a slope below this lets little of a gradient through
UNITS, STEPS = 200, 100
RATES = (0.1, 1.0, 10.0)


def slopes(name: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """f(x) and f'(x) of a key of layers.ACTIVATIONS, as automatic differentiation computes it."""
    leaf = x.clone().requires_grad_()
    y = ACTIVATIONS[name]()(leaf + 0)  # a layer that works in place gets a tensor of its own
    (slope,) = torch.autograd.grad(y.sum(), leaf)
    return y.detach(), slope


def saturation() -> list[Table]:
    """Slopes of activations on normal inputs of deviation 1 and 5, and what is left of a gradient after ten layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(100_000, dtype=torch.float64)
    rows = []
    for name in ACTIVATIONS:
        y, slope = slopes(name, x)
        _, wide = slopes(name, 5 * x)
        flat, flat_wide = ((100 * (s.abs() < FLAT).double().mean()).item() for s in (slope, wide))
        rows.append((name, slope.max().item(), flat, flat_wide, 100 * (y == 0).double().mean().item(), _through(name)))
    columns = {
        "activation": "",
        "largest slope": ".2f",
        "slope below 0.1 (%)": ".0f",
        "at 5 times the input (%)": ".0f",
        "zeros (%)": ".0f",
        "gradient after 10 layers": ".1e",
    }
    notes = [
        "lecture: ReLU is easy to feed forward and to propagate back, helps prevent saturation, and is sparse",
        "normal inputs. Of ReLU's half of zero slopes none depends on the size of the input; tanh and sigmoid go flat "
        "as it grows. Gradient: its norm at the input over that at the output of 10 layers of 256 units, deviation "
        "sqrt(2 / 256)",
    ]
    return [Table("Saturation", columns, rows, notes)]


def _through(name: str, width: int = 256, depth: int = 10) -> float:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(64, width, dtype=torch.float64, requires_grad=True)
        y = x
        for _ in range(depth):
            y = ACTIVATIONS[name]()(y @ torch.randn(width, width, dtype=torch.float64) * (2 / width) ** 0.5)
        target = torch.randn_like(y)
    (gradient,) = torch.autograd.grad((y * target).sum(), x)
    return (gradient.norm() / target.norm()).item()


def dead_relu() -> list[Table]:
    """Units of a hidden layer that are zero, or on their leak, for every image, after a few steps at three rates."""
    rows = []
    for name in ("relu", "leaky_relu"):
        for rate in RATES:
            loss, idle, active = _train(name, rate)
            rows.append((name, rate, 100 * idle, 100 * active, loss))
    columns = {
        "activation": "",
        "learning rate": "g",
        "units never above 0 (%)": ".0f",
        "outputs above 0 (%)": ".0f",
        "loss": ".3g",
    }
    notes = [
        "lecture: the disadvantage is the dead ReLU: a unit below 0 for every image has no gradient and never comes "
        "back",
        f"a layer of {UNITS} units, {STEPS} steps of SGD on 512 points of noise with labels of a random linear rule",
        "a leak keeps a gradient; it does not keep a unit above 0. Of the layers of a trained network: "
        "`cnnbench look run=NAME image=FILE`",
    ]
    return [Table("Dead ReLU", columns, rows, notes)]


def _train(name: str, rate: float) -> tuple[float, float, float]:
    """The last loss, the share of units that are above 0 for no point, and the share of outputs above 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(512, 20)
        labels = (x @ torch.randn(20, 4)).argmax(1)
        network = nn.Sequential(nn.Linear(20, UNITS), ACTIVATIONS[name](), nn.Linear(UNITS, 4))
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
    above = network[:2](x) > 0
    return loss.item(), (~above.any(0)).double().mean().item(), above.double().mean().item()
