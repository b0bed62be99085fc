"""Errors of several trainings of one recipe: their mean, how far they vary, and where one more would lie. In percent
and percentage points. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

from cnnbench.evaluation.distributions import t_quantile, t_two_sided

FEWEST = 3  # trainings from which a band is taken: of two it would be 13 standard deviations wide


def mean_interval(errors: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Bounds of the mean error of all seeds, of which `errors`, two or more, are a sample (Student's t); an error is
    from 0 to 100 percent."""
    half = t_quantile((1 + level) / 2, len(errors) - 1) * stdev(errors) / math.sqrt(len(errors))
    return max(0.0, mean(errors) - half), min(100.0, mean(errors) + half)


def half_band(errors: Sequence[float], level: float = 0.95, judged: int = 1) -> float:
    """How far the mean of `judged` of these trainings may lie from one training of somebody else by the same recipe, on
    the same images: the half width of a prediction interval."""
    return t_quantile((1 + level) / 2, len(errors) - 1) * stdev(errors) * math.sqrt(1 + 1 / judged)


def p_of_one_more(errors: Sequence[float], other: float) -> float:
    """How probable a training at least as far from the mean of `errors` as `other` is, if it is of the same recipe."""
    spread = stdev(errors) * math.sqrt(1 + 1 / len(errors))
    if spread == 0:
        return float(other == mean(errors))
    return t_two_sided((other - mean(errors)) / spread, len(errors) - 1)
