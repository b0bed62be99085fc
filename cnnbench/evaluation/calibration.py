"""How far the probability of an answer is how often it is right. Guo, Pleiss, Sun, Weinberger: On Calibration of Modern
Neural Networks (ICML 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

BINS = 15  # as the paper's
LEAST, MOST, STEPS = 1e-2, 1e2, 60  # of the inverse temperature, and halvings of the range


@dataclass(frozen=True)
class Bin:
    """Of the images whose answer has a probability above `low`, up to `high`: their number, the mean probability and
    the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins of one width that are not empty; `confidence` float (n,) in [0, 1], `right` bool (n,)."""
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in np.unique(place):
        inside = place == number
        means = float(confidence[inside].mean()), float(right[inside].mean())
        found.append(Bin(number / bins, (number + 1) / bins, int(inside.sum()), *means))
    return found


def expected_calibration_error(bins: list[Bin]) -> float:
    """The mean distance of probability and share that is right, weighted by the images of each bin, in percent."""
    n = sum(each.n for each in bins)
    return 100 * sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / n


def negative_log_likelihood(log_probability: torch.Tensor, labels: torch.Tensor) -> float:
    """Nats for each image; float (n, classes), int64 (n,)."""
    return float(-log_probability.gather(1, labels[:, None]).mean())


def best_temperature(log_probability: torch.Tensor, labels: torch.Tensor) -> float:
    """The temperature by which logits are divided for the least negative log likelihood. That is convex in the inverse
    of the temperature: its slope, the mean of E[log p] - log p of the label, is 0 there."""
    own = log_probability.gather(1, labels[:, None]).mean()
    low, high = LEAST, MOST
    for _ in range(STEPS):
        inverse = (low * high) ** 0.5
        shares = (log_probability * inverse).softmax(1)
        expected = torch.where(shares > 0, shares * log_probability, 0).sum(1).mean()
        low, high = (low, inverse) if expected > own else (inverse, high)
    return 1 / (low * high) ** 0.5


def at_temperature(log_probability: torch.Tensor, temperature: float) -> torch.Tensor:
    """Logarithms of the probabilities at `temperature`."""
    return (log_probability / temperature).log_softmax(1)
