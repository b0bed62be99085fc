"""channels_last=auto: the layout of images and weights in which steps of this network are the faster ones on this CPU.

Tried once for a network, a size and a machine, with two images, in half a second or two steps of each layout if those
take longer; in a process of its own, so that nothing of it stays. The run keeps the layout, as if it had been given: in
another the last bits of its numbers would be others.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import torch

from cnnbench.config.fields import AUTO
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.runs.paths import has_begun
from cnnbench.runtime.backends import CPU
from cnnbench.runtime.devices import share_cores
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import processor
from cnnbench.runtime.measured import kept, known
from cnnbench.runtime.system import forks
from cnnbench.training.on_noise import on_noise
from cnnbench.training.train_step import train_step

FILE = "layouts.json"
SECONDS = 0.5  # of the steps that are timed
IMAGES = 2  # of a step: the fewest that batch normalisation takes everywhere
CLASSES = 10  # whose layer is the same matrix in both layouts
LAST, FIRST = "channels last", "channels first"


def with_layout(config: TrainConfig, world: int, device: str) -> TrainConfig:
    """`config` of a new run with its layout chosen, which is said; of a run that has begun as it is."""
    if config.channels_last != AUTO or has_begun(config):
        return config
    if device != CPU:
        return replace(config, channels_last=True)
    times = layout_times(config, world)
    if not times:
        return replace(config, channels_last=True)
    faster, slower = sorted(times, key=lambda layout: times[layout])
    ratio = f"{times[slower] / times[faster]:.2f} times as fast as {slower} here"
    print(f"channels_last=auto: {faster}, {ratio}", flush=True)
    return replace(config, channels_last=faster == LAST)


def layout_times(config: TrainConfig, world: int) -> dict[str, float]:
    """Seconds of a step in each layout, as tried before on this machine, or now; nothing where it cannot be tried."""
    options = json.dumps(config.arch.options, sort_keys=True, default=str)
    about = processor(), f"torch {torch.__version__}", f"{torch.get_num_threads()} threads over {world}"
    network = config.arch.name, options, f"{config.arch.in_channels} x {input_size(config)} px", config.precision
    name = ", ".join((*about, *network))
    found = known(FILE).get(name)
    if isinstance(found, dict) and set(found) == {LAST, FIRST}:
        return {layout: float(seconds) for layout, seconds in found.items() if isinstance(seconds, float)}
    context = multiprocessing.get_context("fork" if forks() else "spawn")
    try:
        with ProcessPoolExecutor(1, context) as pool:
            times = pool.submit(timed_layouts, config, world).result()
    except (BrokenProcessPool, UserError, RuntimeError):  # what is wrong with the run is said where it begins
        return {}
    kept(FILE, name, times)
    return times


def timed_layouts(config: TrainConfig, world: int) -> dict[str, float]:
    """Seconds of a step in each layout, in turn; the least of several. In a process that does nothing else after it."""
    share_cores(world, CPU)
    plain = replace(config, batch=IMAGES, accumulate=1, weights=None, compile=False)
    plain = replace(plain, bn_group=None, sync_batchnorm=False)
    steps = {LAST: _Steps(replace(plain, channels_last=True)), FIRST: _Steps(replace(plain, channels_last=False))}
    for each in steps.values():
        each.take()
    times = {layout: float("inf") for layout in steps}
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        for layout, each in steps.items():
            times[layout] = min(times[layout], each.take())
    return times


class _Steps:
    """Steps of the loop on images that mean nothing."""

    def __init__(self, config: TrainConfig) -> None:
        self.context, self.ready = on_noise(config, CLASSES, IMAGES, torch.device(CPU))
        self.count = 0

    def take(self) -> float:
        """Seconds of the next step."""
        start = time.perf_counter()
        train_step(self.context, self.ready, self.count, 0.0)
        self.count += 1
        return time.perf_counter() - start
