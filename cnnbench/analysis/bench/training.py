"""`cnnbench bench what=train`: what the loop of `cnnbench train` adds to a bare one, and real images end to end."""

from __future__ import annotations

import dataclasses
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnbench.analysis.bench import halves as bench_halves
from cnnbench.analysis.bench.halves import LOADER, NETWORK, WHOLE, batch_of, resident
from cnnbench.analysis.bench.network import BENCH_RATE, BenchNetwork, build_bench_network
from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.own_cost import SharedWork
from cnnbench.analysis.bench.timing import MedianInterval, interval, rounds_note
from cnnbench.analysis.tables import Table
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.data.augment.draws import row_width
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import TrainingTransform
from cnnbench.runtime.devices import choose_device, choose_workers, pins, synchronize
from cnnbench.training.context import build_context
from cnnbench.training.data import TrainData
from cnnbench.training.log import Log
from cnnbench.training.loggers.logger import LoggedRun
from cnnbench.training.loop import train_epoch
from cnnbench.training.state import TrainState

BARE, OURS = "bare loop", "cnnbench train"
ROUND_SECONDS = 2.0  # seconds that each loop runs in a round
TURNS = 10  # turns of each loop in a round: what disturbs the machine for less than a round disturbs both
NEVER = 10**9

LOOP_COLUMNS = {
    "network": "",
    "loop": "",
    "images/s": ",.1f",
    "interval": "",
    "time over bare (%)": "+.2f",
    "its interval": "",
    "CPU time over bare (%)": "+.2f",
    "of CPU time": "",
    "own CPU time (%)": "+.2f",
    "of own": "",
}
PART_COLUMNS = {
    "network": "",
    "what": "",
    "images/s": ",.1f",
    "interval": "",
    **bench_halves.HALVES_COLUMNS,
    "waiting for data (%)": ".1f",
}


@dataclass
class Spent:
    """Seconds of each round: on the wall, of all this process's threads, and (cnnbench train) waiting for data."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)  # of each turn, as SharedWork.turn has it

    def begin_round(self) -> None:
        """Count from zero for the next round."""
        self.wall.append(0.0)
        self.cpu.append(0.0)

    @contextmanager
    def timed(self, device: torch.device) -> Iterator[None]:
        """Add what the block spends, until the device is done, to the round."""
        synchronize(device)
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        synchronize(device)
        self.wall[-1] += time.perf_counter() - wall
        self.cpu[-1] += time.process_time() - cpu


@dataclass(frozen=True)
class LoopMeasurement:
    """What each of several works spent on `images` images in each round."""

    config: BenchConfig
    images: int
    spent: dict[str, Spent]

    def rate(self, name: str) -> MedianInterval:
        """Images per second."""
        return interval([self.images / seconds for seconds in self.spent[name].wall])


TimedWork = Callable[[], dict[str, Any] | None]  # the figures of the epoch, where there are any


def train_tables(config: BenchConfig) -> list[Table]:
    """The loop beside a bare loop on images in the device's memory, and training on files beside its two halves."""
    split = read_split(config.data, "train")
    workers = choose_workers(config.data.workers, 1)
    last = [rounds_note(config.rounds), machine_line()]
    loops = [
        f"both train the same network on the same uint8 images in the device's memory, normalised at each step; bare: "
        f"zero_grad, normalise, forward, loss, backward, step; {OURS}: its own loop with its log, without checkpoints "
        f"and evaluation; within a round they take turns {TURNS} times, between two steps of the one run",
        "over bare: median, over rounds, of the ratio within a round, less 1; CPU time: of all threads",
        "own CPU time: that besides normalisation, forward and backward pass, update and zero_grad, less what the bare "
        f"loop has besides these, of their CPU time; median over {TURNS} turns in each round, with its interval",
    ]
    parts = [
        f"images of {config.data.path} ({split.storage.form}) by {workers} workers, batches of {batch_of(config)}, "
        f"read from the system's cache after the first pass; network alone: {OURS} on a batch in the device's memory",
        bench_halves.NOTE,
        "waiting for data: the loop's own figure, as in metrics.jsonl",
    ]
    side = f"{bench_size(config)} x {bench_size(config)}"
    measured = (
        [measure_loops(one) for one in one_for_each_network(config)],
        [measure_parts(one, split) for one in one_for_each_network(config)],
    )
    return [
        _table(f"training, the loop alone: {side}", LOOP_COLUMNS, _loop_row, measured[0], [*loops, *last]),
        _table(f"training, end to end: {side}", PART_COLUMNS, _part_row, measured[1], [*parts, *last]),
    ]


def _table(
    title: str, columns: dict[str, str], row: Callable, measured: list[LoopMeasurement], notes: list[str]
) -> Table:
    rows = [row(found, name) for found in measured for name in found.spent]
    return Table(title, columns, rows, notes, [_record(found, name) for found in measured for name in found.spent])


def bare_loop(network: BenchNetwork, normalise: Normalise, batch: Batch, steps: int) -> None:
    """What anyone would write first; leaves no gradients behind, or the other loop would add its own to them."""
    for _ in range(steps):
        network.step((normalise(batch), batch.labels))
    network.optimizer.zero_grad(set_to_none=True)


class Trainer:
    """The loop of `cnnbench train` for a network that is there already, with its log in `folder`; no checkpoints."""

    def __init__(self, config: BenchConfig, network: BenchNetwork, augment: AugmentConfig, classes: int, folder: Path):
        self.batch = batch_of(config)
        settings = TrainConfig(
            recipe="bench",
            arch=config.arch,
            augment=augment,
            optimizer=OptimizerConfig(kind="sgd", lr=BENCH_RATE, scaling="none", momentum=0.9),
            schedule=ScheduleConfig(kind="constant"),
            average=AverageConfig(),
            epochs=1,
            batch=self.batch,
            save_every=NEVER,
            precision=config.precision,
            channels_last=config.channels_last,
        )
        data = TrainData([str(number) for number in range(classes)], 0, _Resident(), _Resident(), {})
        self.context = build_context(settings, network.model, data, folder)
        self.context.network = network.call
        self.context.optimizer = network.optimizer  # of both loops

    def run(self, batches: Iterable[Batch], steps: int) -> dict[str, Any]:
        """Train on `steps` batches, which are all; the figures of the epoch."""
        context = self.context
        context.data = dataclasses.replace(context.data, images=steps * self.batch)
        context.log = Log(LoggedRun(context.folder, 1, steps, every=NEVER), ["tensorboard"])
        ahead = DevicePrefetcher(batches, context.normalise)
        figures = train_epoch(context, TrainState(), ahead)
        context.log.close()
        for _ in ahead:  # none is left: so the loader knows, and keeps its workers
            raise AssertionError("more batches than steps")
        return figures


class _Resident:
    """The loader of images that need none."""

    def __init__(self) -> None:
        self.order: Sequence[list[SampleKey]] = []
        self.broken: dict[int, str] = {}

    def __iter__(self) -> Iterator[Batch]:
        return iter(())

    def supplied(self) -> float:
        return math.inf


def measure_loops(config: BenchConfig) -> LoopMeasurement:
    """What the two loops spend on as many steps, for at least ROUND_SECONDS in a round."""
    network = build_bench_network(config)
    with _trainer(config, network, AugmentConfig(), _outputs(network)) as trainer:
        batch = resident(config, network.device, batch_of(config), 0)
        spent, shared = {BARE: Spent(), OURS: Spent()}, SharedWork()
        shared.of(trainer.context)
        same = replace(network, scaler=shared.scaler(network.scaler))
        bare = partial(bare_loop, same, trainer.context.normalise, batch)
        bare(2)  # compilation, choice of kernels
        start = time.perf_counter()
        bare(2)
        synchronize(network.device)
        steps = max(1, math.ceil(ROUND_SECONDS / TURNS / (time.perf_counter() - start) * 2))
        turns = _turns(batch, partial(bare, steps), steps, config.rounds, (spent, shared))
        trainer.run(turns, steps * TURNS * (1 + config.rounds))
        return LoopMeasurement(config, steps * TURNS * batch_of(config), spent)


def _turns(
    batch: Batch, bare: TimedWork, steps: int, rounds: int, measured: tuple[dict[str, Spent], SharedWork]
) -> Iterator[Batch]:
    """`batch`, for the loop of `cnnbench train`: after every `steps` of its steps it has to wait for the next one until
    `bare` has taken as many. What both spent, in each round but a first one that does not count."""
    (spent, shared), device = measured, batch.images.device
    for number in range(-1, rounds):
        ours, other = (spent[OURS], spent[BARE]) if number >= 0 else (Spent(), Spent())
        for one in (ours, other):
            one.begin_round()
        for _ in range(TURNS):
            with ours.timed(device), shared.turn(ours.own):
                yield from repeat(batch, steps)
            with other.timed(device), shared.turn(other.own):
                bare()


def measure_parts(config: BenchConfig, split: Split) -> LoopMeasurement:
    """What training on images of `split`, and its two halves alone, spend."""
    order = _order(len(split), config)
    transform = TrainingTransform(config.arch, config.augment, bench_size(config), 0, config.data.pixels == "loose")
    workers = choose_workers(config.data.workers, 1)
    with loader_of(split, transform, config.data, order, workers, pins(choose_device(config.device))) as loader:
        loader.start(len(order[0]))
        network = build_bench_network(config, len(split.classes))
        with _trainer(config, network, config.augment, len(split.classes)) as trainer:
            batch = resident(config, network.device, batch_of(config), row_width(config.augment))
            works: dict[str, TimedWork] = {
                LOADER: partial(bench_halves.load_all, loader),
                NETWORK: lambda: trainer.run(repeat(batch, len(order)), len(order)),
                WHOLE: lambda: trainer.run(loader, len(order)),
            }
            return LoopMeasurement(
                config, len(order) * batch_of(config), _in_turn(works, config.rounds, network.device)
            )


@contextmanager
def _trainer(config: BenchConfig, network: BenchNetwork, augment: AugmentConfig, classes: int) -> Iterator[Trainer]:
    with tempfile.TemporaryDirectory() as folder:
        yield Trainer(config, network, augment, classes, Path(folder))


def _in_turn(works: dict[str, TimedWork], rounds: int, device: torch.device) -> dict[str, Spent]:
    """What each work spent in each round, after one round that does not count; every other round backwards."""
    spent = {name: Spent() for name in works}
    for number in range(-1, rounds):
        for name in list(works) if number % 2 else reversed(works):
            kept = spent[name] if number >= 0 else Spent()
            kept.begin_round()
            with kept.timed(device):
                figures = works[name]()
            if figures:
                kept.waited.append(figures["data_wait"] * figures["training_seconds"])
    return spent


def _outputs(network: BenchNetwork) -> int:
    """The network's number of classes."""
    return [m for m in network.model.modules() if isinstance(m, torch.nn.Linear)][-1].out_features


def _order(images: int, config: BenchConfig) -> list[list[SampleKey]]:
    """Whole batches of about `loader_images` images, of which `images` of the config are different."""
    batch = batch_of(config)
    numbers = np.linspace(0, images - 1, min(config.images, images)).astype(int).tolist()
    count = max(1, config.loader_images // batch) * batch
    chosen = [SampleKey(0, numbers[place % len(numbers)]) for place in range(count)]
    return [chosen[start : start + batch] for start in range(0, len(chosen), batch)]


def _loop_row(found: LoopMeasurement, name: str) -> tuple[Any, ...]:
    if name == BARE:
        return (*_speed(found, name), None, "", None, "", None, "")
    ours, bare = found.spent[name], found.spent[BARE]
    wall, cpu = (
        interval([100 * (own / other - 1) for own, other in zip(*pair, strict=True)])
        for pair in ((ours.wall, bare.wall), (ours.cpu, bare.cpu))
    )
    own = interval([100 * (share - least) for share, least in zip(ours.own, bare.own, strict=True)])
    return (*_speed(found, name), wall.median, _between(wall), cpu.median, _between(cpu), own.median, _between(own))


def _part_row(found: LoopMeasurement, name: str) -> tuple[Any, ...]:
    if name != WHOLE:
        return (*_speed(found, name), None, None, None)
    smaller, in_turn = bench_halves.ratios({part: spent.wall for part, spent in found.spent.items()})
    whole = found.spent[WHOLE]
    waited = statistics.median(waited / wall for waited, wall in zip(whole.waited, whole.wall, strict=True))
    return (*_speed(found, name), 100 * smaller, 100 * in_turn, 100 * waited)


def _speed(found: LoopMeasurement, name: str) -> tuple[str, str, float, str]:
    rate = found.rate(name)
    return found.config.arch.name, name, rate.median, f"{rate.low:,.1f} - {rate.high:,.1f}"


def _between(values: MedianInterval) -> str:
    return f"{values.low:+.2f} .. {values.high:+.2f}"


def _record(found: LoopMeasurement, name: str) -> dict[str, Any]:
    told = bench_halves.bench_record(found.config, "train", name, found.images, found.rate(name))
    return told | {"seconds": dataclasses.asdict(found.spent[name])}
