"""Time on the wall: what is compared takes turns within a round, and the median of the rounds counts."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from cnnbench.runtime.devices import on_cpu, synchronize

REPEAT_SECONDS = 0.2  # time of a work in a round, at least: so that starting and stopping the clock cost nothing
WARM_UP, WARM_UP_ON_GPU = 1, 3  # passes before the first round: compilation, choice of kernels, memory
CONFIDENCE = 0.95


@dataclass(frozen=True)
class MedianInterval:
    """The median of some rounds, and the order statistics `low` and `high` around the true one with `confidence`."""

    median: float
    low: float
    high: float
    confidence: float


def time_rounds(
    works: dict[str, Callable[[], object]], rounds: int, device: torch.device, least: float = REPEAT_SECONDS
) -> dict[str, list[float]]:
    """Seconds of one pass of each of `works` in each round.

    The works take turns within a round, so that what disturbs the machine disturbs all. Each is repeated for about
    `least` seconds (0: once) without a pause between its passes, after a warm-up that is not counted; the clock starts
    and stops when a GPU has done all that it was asked for.
    """
    repeats = {}
    for name, work in works.items():
        for _ in range(WARM_UP if on_cpu(device) else WARM_UP_ON_GPU):
            work()
        repeats[name] = math.ceil(least / max(_seconds(work, 1, device), 1e-9)) if least else 1
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(_seconds(work, repeats[name], device))
    return times


def interval(values: Sequence[float]) -> MedianInterval:
    """The median of `values`, with the narrowest pair of order statistics that holds the true median with at least
    CONFIDENCE; of fewer than six values the smallest and the largest, which hold it less surely.

    That is so for any distribution, as long as the rounds are independent: each value is below the true median with
    probability 1/2, so the number of those that are is binomial.
    """
    ordered, n = sorted(values), len(values)
    outside, k = 0.5**n, 0  # probability that at most k values lie below the median
    while 2 * (more := outside + math.comb(n, k + 1) * 0.5**n) <= 1 - CONFIDENCE:
        outside, k = more, k + 1
    return MedianInterval(statistics.median(ordered), ordered[k], ordered[n - 1 - k], max(0.0, 1 - 2 * outside))


def rounds_note(rounds: int) -> str:
    """How the figures of a table come from its rounds."""
    return (
        f"median of {rounds} rounds, in which the rows take turns; interval: that of the median by order statistics "
        f"({100 * interval(range(rounds)).confidence:.0f} % for {rounds} independent rounds)"
    )


def _seconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    synchronize(device)
    return (time.perf_counter() - start) / repeats
