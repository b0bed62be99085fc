"""Two networks, or two groups of trainings, on the same images: how far their errors differ, and how sure that is.

An image's answer is wrong (true) or right in an array bool (trainings, n). Differences are first less second, in
percentage points. Imports no torch. Checked by tools/compare_coverage.py, with its figures in docs/compare.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnbench.evaluation.distributions import binomial_two_sided, normal_quantile, t_quantile, t_two_sided

LEVEL = 0.05
MOST_DRAWN = 4_000_000  # counts that are held at once by the bootstrap
Over = Literal["images", "seeds", "images and seeds"]


@dataclass(frozen=True)
class Discordant:
    """Of `n` images those that only the first network has wrong, and those that only the second has."""

    first: int
    second: int
    n: int

    @property
    def p(self) -> float:
        """McNemar's test, exact: the probability, were both networks as good, of so uneven a division of the images on
        which they differ (McNemar 1947; binomial form)."""
        return binomial_two_sided(self.first, self.first + self.second)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % bounds of the difference (Bonett, Price 2012: Wald's, with one image more on either side)."""
        first, second = (self.first + 1) / (self.n + 2), (self.second + 1) / (self.n + 2)
        spread = normal_quantile(1 - LEVEL / 2) * math.sqrt((first + second - (first - second) ** 2) / (self.n + 2))
        return 100 * (first - second - spread), 100 * (first - second + spread)

    def smallest_seen(self, power: float = 0.8) -> float:
        """The difference in points that these images would show with the probability `power`, where the networks differ
        on as many of them."""
        share = (self.first + self.second + 1) / self.n
        return 100 * (normal_quantile(1 - LEVEL / 2) + normal_quantile(power)) * math.sqrt(share / self.n)


@dataclass(frozen=True)
class Spread:
    """The uncertainty of a difference: its standard error in points, and the degrees of freedom of that."""

    error: float
    df: float

    def interval(self, difference: float) -> tuple[float, float]:
        """95 % bounds."""
        half = t_quantile(1 - LEVEL / 2, self.df) * self.error
        return difference - half, difference + half

    def p(self, difference: float) -> float:
        """Two-sided, of no difference."""
        if self.error == 0:
            return float(difference == 0)
        return t_two_sided(difference / self.error, self.df)


def discordant(first: np.ndarray, second: np.ndarray) -> Discordant:
    """Of two networks, bool (n,) each."""
    return Discordant(int((first & ~second).sum()), int((~first & second).sum()), len(first))


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Of the mean errors of two groups, bool (trainings, n) each."""
    return 100 * float(first.mean() - second.mean())


def over_seeds(first: np.ndarray, second: np.ndarray) -> Spread | None:
    """On these very images, with other seeds: Welch's standard error and degrees of freedom. A group of one training
    is taken to vary as the other; None where both are one."""
    return over_errors(*([100 * float(one.mean()) for one in group] for group in (first, second)))


def over_errors(first: Sequence[float], second: Sequence[float]) -> Spread | None:
    """As over_seeds, of the errors of each training, percent."""
    sizes = len(first), len(second)
    variances = [float(np.var(group, ddof=1)) if len(group) > 1 else None for group in (first, second)]
    known = [variance for variance in variances if variance is not None]
    if not known:
        return None
    if len(known) == 1:
        return Spread(math.sqrt(known[0] * (1 / sizes[0] + 1 / sizes[1])), max(sizes) - 1)
    parts = [variance / size for variance, size in zip(known, sizes, strict=True)]
    return Spread(math.sqrt(sum(parts)), _welch(parts, [size - 1 for size in sizes]))


def over_both(first: np.ndarray, second: np.ndarray) -> Spread | None:
    """With other seeds, and other images of the same kind: the variances between trainings and between images, less
    what is in both (an image that one training has right by chance). Degrees of freedom by Satterthwaite. None
    where both groups are one training."""
    seeds, n = over_seeds(first, second), first.shape[1]
    if seeds is None:
        return None
    both = sum(_residual(group) / group.size for group in (first, second))
    images = float(np.var(100 * (first.mean(0) - second.mean(0)), ddof=1)) / n
    parts = [seeds.error**2, max(0.0, images - both)]
    return Spread(math.sqrt(sum(parts)), _welch(parts, [seeds.df, n - 1]))


def bootstrap(
    first: np.ndarray, second: np.ndarray, over: Over, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """95 % bounds of the difference by resampling images, trainings or both with replacement (percentiles).

    Of few trainings the bounds are too narrow, as the bootstrap's always are: over_both is the one to go by. Images on
    which all trainings answer alike are drawn together, by the multinomial distribution: the same, and fast."""
    random, n = np.random.default_rng(seed), first.shape[1]
    patterns, counts = np.unique(np.concatenate([first, second]), axis=1, return_counts=True)
    shares = 100 * patterns.T.astype(np.float64) / n
    errors = np.broadcast_to(counts @ shares, (resamples, len(patterns)))  # of the trainings of both
    if over != "seeds":
        step = max(1, MOST_DRAWN // len(counts))
        sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
        errors = np.concatenate([random.multinomial(n, counts / n, size=size) @ shares for size in sizes])
    means = []
    for group in (errors[:, : len(first)], errors[:, len(first) :]):
        size = group.shape[1]
        weights = random.multinomial(size, np.full(size, 1 / size), size=resamples) if over != "images" else 1
        means.append((group * weights).mean(1))
    low, high = np.quantile(means[0] - means[1], [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def _residual(group: np.ndarray) -> float:
    """The variance, in squared points, of what neither an image nor a training explains; 0 of one training."""
    if len(group) == 1:
        return 0.0
    values = 100.0 * group
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return float((rest**2).sum() / ((len(group) - 1) * (group.shape[1] - 1)))


def _welch(parts: list[float], freedoms: list[float]) -> float:
    """The degrees of freedom of a sum of variances, each with its own (Welch 1947, Satterthwaite 1946)."""
    below = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return sum(parts) ** 2 / below if below > 0 else math.inf
