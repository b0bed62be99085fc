"""Student's t, the binomial test and the power of a t test: what comparisons of errors need of probability. Imports no
torch. Held against scipy and statsmodels in tests/evaluation/test_distributions.py."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

SMALLEST, TERMS = 1e-300, 10_000  # of the continued fraction: in place of 0, and terms at most
STEPS = 2_000  # of the integral over the standard deviation


def normal_quantile(p: float) -> float:
    """Below which a standard normal value is with probability `p`, in (0, 1)."""
    return NormalDist().inv_cdf(p)


def t_two_sided(t: float, df: float) -> float:
    """The probability that |T| is at least |t|, of Student's t with `df` > 0 degrees of freedom; normal for inf."""
    if math.isinf(df):
        return 2 * NormalDist().cdf(-abs(t))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


def t_quantile(p: float, df: float) -> float:
    """Below which Student's t with `df` degrees of freedom is with probability `p` in (0, 1), by bisection."""
    if math.isinf(df):
        return normal_quantile(p)
    if p == 0.5:
        return 0.0
    tail, low, high = 2 * min(p, 1 - p), 0.0, 1.0
    while t_two_sided(high, df) > tail:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_two_sided(middle, df) > tail else (low, middle)
    return math.copysign((low + high) / 2, p - 0.5)


def binomial_two_sided(successes: int, trials: int) -> float:
    """The exact two-sided p value of `successes` in `trials` at probability 1/2, by whole numbers; 1 without trials."""
    term, total = 1, 0
    for k in range(min(successes, trials - successes) + 1):
        total += term
        term = term * (trials - k) // (k + 1)
    return min(1.0, 2 * total / 2**trials)


def t_test_power(effect: float, each: int, level: float = 0.05) -> float:
    """With which probability a two-sided t test of two groups of `each` >= 2 values finds means that are `effect`
    standard deviations apart."""
    df, shift = 2 * (each - 1), effect * math.sqrt(each / 2)
    limit = t_quantile(1 - level / 2, df)
    # Given the standard deviation, which is the root of chi-square over df, the mean's difference is normal.
    spread = np.linspace(0, 1 + 12 / math.sqrt(2 * df), STEPS)[1:]
    log = (df - 1) * np.log(spread) - df * spread**2 / 2
    weight = np.exp(log - log.max())
    found = [NormalDist().cdf(shift - limit * s) + NormalDist().cdf(-shift - limit * s) for s in spread]
    return float((weight * found).sum() / weight.sum())


def seeds_needed(
    difference: float, deviation: float, power: float = 0.8, level: float = 0.05, most: int = 10_000
) -> int:
    """How many values each of two groups needs, so that a t test finds a `difference` of their means with the
    probability `power`, where values of one group have the standard `deviation`; `most` where that is not enough."""
    if deviation <= 0:
        return 2
    low, high = 1, 2
    while high < most and t_test_power(difference / deviation, high, level) < power:
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if t_test_power(difference / deviation, middle, level) >= power else (middle, high)
    return high


def holm(p_values: list[float]) -> list[float]:
    """The p values of several tests, adjusted so that all together err at the level of one (Holm 1979)."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the continued fraction DLMF 8.17.22, by Lentz's algorithm."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    d = 1 / (1 - (a + b) * x / (a + 1) or SMALLEST)
    value, c = d, 1.0
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for factor in (even, odd):
            d = 1 / (1 + factor * d or SMALLEST)
            c = 1 + factor / c or SMALLEST
            value *= c * d
        if abs(1 - c * d) < 1e-15:
            break
    return front * value / a
