"""How uncertain a counted error is. Imports no torch: reports need it too."""

from __future__ import annotations

import math

TOP = (1, 5)  # the errors that are counted: outside the first answer, and outside the first five


def wilson_interval(wrong: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Bounds, in percent, of the error of which `wrong` in `n` is a sample (Wilson 1927; default 95 % two-sided)."""
    p = wrong / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (100 * min(1.0, max(0.0, (centre + sign * spread) / (1 + z * z / n))) for sign in (-1, 1))
    return low, high
