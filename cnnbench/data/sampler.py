"""Which image comes when: pure functions of (seed, epoch, step), so that nothing has to be remembered for a resume.

The images of one optimiser step (the global batch) do not depend on the number of processes, nor on their workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np


def epoch_order(images: int, seed: int, epoch: int) -> np.ndarray:
    """A random permutation of 0 .. images - 1, int64, for one epoch."""
    return np.random.default_rng((seed, epoch)).permutation(images)


def image_random(seed: int, epoch: int, index: int) -> Random:
    """The generator of all draws that concern image `index` in `epoch`."""
    return Random(f"{seed} {epoch} {index}")  # a string is hashed whole, with SHA-512


def training_batches(
    images: int, batch: int, seed: int, epochs: int, start: tuple[int, int], rank: int, world: int, accumulate: int
) -> Iterator[list[tuple[int, int]]]:
    """For one process, the parts of each step in turn, from step `start` = (epoch, step) on: lists of (epoch, image).

    Each step takes the next `batch` images of its epoch's order, process `rank` of `world` every world-th of them, cut
    into `accumulate` parts. What is left of an epoch after its last whole batch is dropped.
    """
    first_epoch, first_step = start
    for epoch in range(first_epoch, epochs):
        order = epoch_order(images, seed, epoch)
        for step in range(first_step if epoch == first_epoch else 0, images // batch):
            share = order[step * batch : (step + 1) * batch][rank::world]
            for part in np.split(share, accumulate):
                yield [(epoch, int(index)) for index in part]


def evaluation_batches(images: int, batch: int, rank: int, world: int) -> Iterator[list[tuple[int, int]]]:
    """For one process, every world-th image in batches; no image twice, none left out, the last batch as it comes."""
    share = range(rank, images, world)
    for start in range(0, len(share), batch):
        yield [(0, index) for index in share[start : start + batch]]
