"""Which image comes when: pure functions of (seed, epoch, step), so that nothing has to be remembered for a resume.

The images of one optimiser step (the global batch) do not depend on the number of processes, nor on their workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np


class SampleKey(NamedTuple):
    """What determines the pixels of a sample, beside the seed: which `image` of its split, in which `draw`."""

    draw: int
    image: int


@dataclass(frozen=True)
class SampleOrder:
    """Which of `images` training images each step of a run takes: a function of these four numbers.

    Each step takes the next `batch` images of its epoch's order. What is left of an epoch after its last whole batch is
    dropped. Each image comes `repeats` times in a row: see `global_batch`.
    """

    images: int
    batch: int
    seed: int
    repeats: int = 1

    @property
    def steps_per_epoch(self) -> int:
        return self.images // self.batch


@dataclass(frozen=True)
class ProcessShare:
    """What process `rank` of `world` takes of each step: every world-th image, cut into `accumulate` parts."""

    rank: int = 0
    world: int = 1
    accumulate: int = 1


def epoch_order(images: int, seed: int, epoch: int) -> np.ndarray:
    """A random permutation of 0 .. images - 1, int64, for one epoch."""
    return np.random.default_rng((seed, epoch)).permutation(images)


def image_random(seed: int, draw: int, index: int) -> Random:
    """The generator of all draws that concern image `index` in its appearance `draw`: the epoch, without repeats."""
    return Random(f"{seed} {draw} {index}")  # a string is hashed whole, with SHA-512


def global_batch(
    order: np.ndarray, batch: int, step: int, repeats: int = 1, share: ProcessShare | None = None
) -> np.ndarray:
    """(repeat, image) of an epoch's step `step`, int64 (batch / world, 2): every world-th row from `share.rank` on, at
    no cost of the others; `share` None: all.

    With repeats every image of the order comes that many times in a row, and the epoch ends after as many steps as
    without: it sees a part of the images (repeated augmentation: Hoffer et al. 2020, torchvision's RASampler).
    """
    share = share or ProcessShare()
    rows = np.arange(share.rank, batch, share.world)
    # Repeats lie apart: RASampler gives them to different processes, and neighbours may be mixed with each other. So
    # rows are sorted by their repeat: of each, its first place in the step, and the row after its last.
    firsts = step * batch + (np.arange(repeats) - step * batch) % repeats
    counts = ((step + 1) * batch - firsts + repeats - 1) // repeats
    ends = np.cumsum(counts)
    repeat = np.searchsorted(ends, rows, side="right")
    places = firsts[repeat] + (rows - (ends - counts)[repeat]) * repeats
    return np.stack([repeat, order[places // repeats]], axis=1)


def training_batches(
    order: SampleOrder, epochs: int, start: tuple[int, int] = (0, 0), share: ProcessShare | None = None
) -> Iterator[list[SampleKey]]:
    """For one process, the parts of each step in turn, from step `start` = (epoch, step) on; `share` None: alone.

    The draw is the epoch; with repeats it is epoch * repeats + repeat, so that each appearance of an image has its own.
    """
    first_epoch, first_step = start
    share = share or ProcessShare()
    for epoch in range(first_epoch, epochs):
        images = epoch_order(order.images, order.seed, epoch)
        for step in range(first_step if epoch == first_epoch else 0, order.steps_per_epoch):
            own = global_batch(images, order.batch, step, order.repeats, share)
            for part in np.split(own, share.accumulate):
                yield [SampleKey(epoch * order.repeats + repeat, image) for repeat, image in part.tolist()]


def evaluation_batches(images: int, batch: int, rank: int, world: int) -> Iterator[list[SampleKey]]:
    """For one process, every world-th image in batches; no image twice, none left out, the last may be short."""
    share = range(rank, images, world)
    for start in range(0, len(share), batch):
        yield [SampleKey(0, image) for image in share[start : start + batch]]
