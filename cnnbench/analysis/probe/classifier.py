"""A linear classifier on features: multinomial logistic regression with an L2 penalty, by L-BFGS.

The loss is convex, so that the answer depends on the solver by its tolerance alone. It is scikit-learn's
LogisticRegression with C = 1 / (penalty x n); torch's L-BFGS reads the features in parts, from the disk, which that
one cannot, and on any device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from cnnbench.analysis.probe.features import ROWS
from cnnbench.evaluation.counts import rank_of_target

TOLERANCE = 1e-4  # largest component of the gradient at which a fit has converged, as scikit-learn's
STILL = 1e-9  # a step that changes loss and weights by less is the last: float32 leaves no more
HISTORY = 10  # updates that L-BFGS keeps, as in scipy


@dataclass(frozen=True)
class Rows:
    """Rows of features (n, D), int64 numbers `rows` of those meant, and their labels."""

    values: np.ndarray
    labels: np.ndarray
    rows: np.ndarray

    def parts(self, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Features float32 (r, D) and labels int64 (r,) of consecutive rows, on `device`."""
        for start in range(0, len(self.rows), ROWS):
            rows = self.rows[start : start + ROWS]
            yield torch.from_numpy(self.values[rows]).to(device), torch.from_numpy(self.labels[rows]).to(device)


@dataclass(frozen=True)
class Fit:
    """A classifier: float64 (classes, D + 1), the last column its biases, which are not penalised; iterations, and
    whether the gradient came below the tolerance."""

    weights: torch.Tensor
    iterations: int
    converged: bool

    def wrong(self, data: Rows) -> int:
        """How many rows are wrong at top 1."""
        weights = self.weights.float()
        return sum(
            int((rank_of_target(_logits(weights, values), labels) > 0).sum())
            for values, labels in data.parts(weights.device)
        )


def fit(data: Rows, penalty: float, iterations: int, start: torch.Tensor) -> Fit:
    """The classifier with the least mean cross-entropy over `data` plus penalty / 2 x the squared norm of its weights,
    from `start` on, (classes, D + 1). At most so many iterations."""
    weights = start.clone().requires_grad_(True)
    solver = torch.optim.LBFGS(
        [weights],
        max_iter=iterations,
        tolerance_grad=TOLERANCE,
        tolerance_change=STILL,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        total, weights.grad = _loss_and_gradient(weights.detach(), data, penalty)
        return total

    solver.step(loss)
    state = solver.state[weights]
    _, gradient = _loss_and_gradient(weights.detach(), data, penalty)
    return Fit(weights.detach(), state["n_iter"], bool(gradient.abs().max() <= TOLERANCE))


def no_weights(classes: int, width: int, device: torch.device) -> torch.Tensor:
    """Where a first fit starts: zeros, float64 (classes, width + 1)."""
    return torch.zeros(classes, width + 1, dtype=torch.float64, device=device)


def _loss_and_gradient(weights: torch.Tensor, data: Rows, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Products in float32, sums over parts in float64."""
    single, gradient = weights.float(), torch.zeros_like(weights)
    total = torch.zeros((), dtype=torch.float64, device=weights.device)
    for values, labels in data.parts(weights.device):
        logits = _logits(single, values)
        total += functional.cross_entropy(logits, labels, reduction="sum").double()
        slope = logits.softmax(1)
        slope[torch.arange(len(labels), device=labels.device), labels] -= 1
        gradient[:, :-1] += (slope.T @ values).double()
        gradient[:, -1] += slope.sum(0).double()
    n = len(data.rows)
    gradient /= n
    gradient[:, :-1] += penalty * weights[:, :-1]
    return total / n + penalty / 2 * weights[:, :-1].square().sum(), gradient


def _logits(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return torch.addmm(weights[:, -1], values, weights[:, :-1].T)
