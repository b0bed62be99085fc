"""How often the intervals of `cnnbench compare` hold the true difference: simulated pairs, whose truth is known.

    python tools/compare_coverage.py [--pairs 1000] [--images 2000] [--write docs/compare.md]

An image has a difficulty, which both networks share; a network and each of its trainings have a strength. The error of
a training on an image is drawn by the probit of their sum. The truth is the mean over all images and trainings: it is
computed by the normal distribution. 95 of 100 intervals should hold it; the last column says how often a pair without
any difference is called one (5 % is meant). A minute on one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np

from cnnbench.evaluation.paired import bootstrap, difference, discordant, over_both, over_seeds

BEGIN, END = "<!-- coverage: written by tools/compare_coverage.py -->", "<!-- end of coverage -->"
DIFFICULTY = 2.0  # standard deviation of images' difficulty, on which trainings' own luck with an image has 1
NORMAL = NormalDist()

Bounds = tuple[float, float]
Method = Callable[[np.ndarray, np.ndarray], "Bounds | None"]

METHODS: dict[str, tuple[Method, bool]] = {  # name -> the interval, and whether it speaks of these images alone
    "images: Bonett-Price": (lambda a, b: discordant(a[0], b[0]).interval if len(a) == len(b) == 1 else None, False),
    "images: bootstrap": (lambda a, b: bootstrap(a, b, "images", 2000) if len(a) == len(b) == 1 else None, False),
    "seeds: Welch's t": (lambda a, b: _of(over_seeds(a, b), a, b), True),
    "seeds: bootstrap": (lambda a, b: bootstrap(a, b, "seeds", 2000) if len(a) > 1 else None, True),
    "images and seeds: t": (lambda a, b: _of(over_both(a, b), a, b), False),
    "images and seeds: bootstrap": (
        lambda a, b: bootstrap(a, b, "images and seeds", 2000) if len(a) > 1 else None,
        False,
    ),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pairs", type=int, default=1000)
    options.add_argument("--images", type=int, default=2000)
    options.add_argument("--write", type=Path, help="page whose table is replaced")
    chosen = options.parse_args()
    lines = [
        f"{chosen.pairs:,} simulated pairs of each kind on {chosen.images:,} images; the standard deviation of a "
        "training's error is about 0.5 points.",
        "",
        "| trainings each | error % | true difference | interval | holds the truth | calls no difference one |",
        "| ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for trainings in (1, 3, 5, 10):
        for error in (5, 25):
            lines += rows(trainings, error, chosen.pairs, chosen.images)
    text = "\n".join(lines)
    print(text)
    if chosen.write:
        before, _, rest = chosen.write.read_text().partition(BEGIN)
        chosen.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def rows(trainings: int, error: float, pairs: int, images: int) -> list[str]:
    """A row of the table for each interval that there is for so many trainings."""
    random = np.random.default_rng(trainings * 100 + int(error))
    held, called, truth = count(random, (trainings, error, 1.0), pairs, images)
    called = count(random, (trainings, error, 0.0), pairs, images)[1]
    return [
        f"| {trainings} | {error:g} | {truth:.2f} | {name} | {100 * held[name] / pairs:.1f} % "
        f"| {100 * called[name] / pairs:.1f} % |"
        for name in held
    ]


def count(
    random: np.random.Generator, kind: tuple[int, float, float], pairs: int, images: int
) -> tuple[dict[str, int], dict[str, int], float]:
    """How many intervals held the truth, and how many left out 0; and the true difference, points."""
    trainings, error, points = kind
    held: dict[str, int] = {}
    called: dict[str, int] = {}
    for _ in range(pairs):
        difficulty = DIFFICULTY * random.standard_normal(images)
        own = [0.0 if trainings == 1 else deviation(error)] * 2
        centres = [centre(error + points / 2, own[0]), centre(error - points / 2, own[1])]
        groups, true = [], []
        for middle, spread in zip(centres, own, strict=True):
            strengths = middle + spread * random.standard_normal(trainings)
            groups.append(strengths[:, None] + difficulty + random.standard_normal((trainings, images)) > 0)
            true.append(on_images(middle, spread, difficulty))
        for name, (method, these) in METHODS.items():
            bounds = method(*groups)
            if bounds is not None:
                truth = true[0] - true[1] if these else points
                held[name] = held.get(name, 0) + (bounds[0] <= truth <= bounds[1])
                called[name] = called.get(name, 0) + (bounds[0] > 0 or bounds[1] < 0)
    return held, called, points


def centre(error: float, spread: float) -> float:
    """The strength at which the mean error, in percent, over all images and trainings is `error`."""
    return NORMAL.inv_cdf(error / 100) * math.sqrt(1 + DIFFICULTY**2 + spread**2)


def deviation(error: float) -> float:
    """Of the strengths of trainings, so that their errors have a standard deviation of about half a point."""
    z = NORMAL.inv_cdf(error / 100)
    return 0.005 / NORMAL.pdf(z) * math.sqrt(1 + DIFFICULTY**2)


def on_images(middle: float, spread: float, difficulty: np.ndarray) -> float:
    """The mean error on these images over all trainings, percent."""
    scale = math.sqrt(1 + spread**2)
    grid = np.linspace(difficulty.min(), difficulty.max(), 2001)
    values = np.array([NORMAL.cdf((middle + each) / scale) for each in grid])
    return 100 * float(np.interp(difficulty, grid, values).mean())


def _of(spread, first: np.ndarray, second: np.ndarray) -> Bounds | None:
    return None if spread is None else spread.interval(difference(first, second))


if __name__ == "__main__":
    main()
