"""How many loader workers supply the most here: `data.workers=auto`, measured once, in half a second, and remembered.

More than the cores that a process has are not asked for. Half of them supply as much where two of them share what they
compute with, or where memory or a disk is the limit; then the others only take memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from cnnbench.config.data import DataConfig
from cnnbench.config.fields import AUTO
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fastest import engine_in_words, machine
from cnnbench.data.loading.loader import Batch, loader_of
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import Transform
from cnnbench.runtime.devices import choose_workers
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.measured import kept, known

FILE = "workers.json"
SECONDS = 0.2  # of each number of workers, from its first batch on
PARTS = 2  # of that time, of which the better counts: other work disturbs one rather than both
ENOUGH = 0.95  # of the most that any supplies
EACH = 4  # images of a batch for each worker: few, as the first batch is waited for
PREFETCH = 2  # batches ahead


def workers_for(split: Split, transform: Transform, data: DataConfig, world: int) -> int:
    """The workers that data.workers means for each of `world` processes that make images of `split`."""
    most = choose_workers(data.workers, world)
    if data.workers != AUTO or most == 1:
        return most
    return fewest(supplies(split, transform, data, most))


def fewest(rates: dict[int, float]) -> int:
    """The fewest workers that supply enough, of images/s by number of workers."""
    return min(count for count, rate in rates.items() if rate >= ENOUGH * max(rates.values()))


def supplies(split: Split, transform: Transform, data: DataConfig, most: int) -> dict[int, float]:
    """Images/s by number of workers, from `most` down by halves as far as that costs nothing: as measured before on
    this machine for such images, or now. Where that fails, all that is known is that `most` are asked for."""
    name = f"{machine()}, {engine_in_words(split, data)}, {split.storage.form}, {transform.size} px, {data.worker_kind}"
    name += f", {most} cores"
    found = known(FILE).get(name)
    if isinstance(found, dict) and found:
        with suppress(ValueError, TypeError):
            return {int(count): float(rate) for count, rate in found.items()}
    rates: dict[int, float] = {}
    try:
        for count in _counts(most, rates):
            rates[count] = rate(split, transform, data, count)
    except UserError:  # of an image, which whoever needs it meets again
        return {most: 1.0}
    kept(FILE, name, {str(count): round(rate, 1) for count, rate in rates.items()})
    return rates


def _counts(most: int, rates: dict[int, float]) -> Iterator[int]:
    """`most`, its half, and so on, while the last of `rates`, which grow meanwhile, is enough."""
    while most and (not rates or fewest(rates) == min(rates)):
        yield most
        most //= 2


def rate(split: Split, transform: Transform, data: DataConfig, count: int, prefetch: int = PREFETCH) -> float:
    """Images/s that `count` workers supply from their first batch on, of images that no other number was given."""
    size = EACH * max(1, count)
    images = np.random.default_rng(count).permutation(len(split)).tolist()
    chosen = (SampleKey(0, image) for image in itertools.cycle(images))
    order = iter(lambda: list(itertools.islice(chosen, size)), [])
    settings = replace(data, decoder_index=False, prefetch=prefetch)
    with loader_of(split, transform, settings, [], count, pin=False) as loader:
        batches = loader.batches(order)
        next(batches)
        return max(_images_per_second(batches, SECONDS / PARTS) for _ in range(PARTS))


def _images_per_second(batches: Iterator[Batch], seconds: float) -> float:
    start, made = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds or not made:
        made += len(next(batches).labels)
    return made / passed
