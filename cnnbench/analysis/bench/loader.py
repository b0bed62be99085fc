"""`cnnbench bench what=loader`: what an image costs on its way from the disk into a batch, and what a loader supplies.

CPU time, not time on the wall, because the cores may be shared; each stage in turn with the reference, in rounds, so
that what disturbs one disturbs the other, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cnnbench.analysis.bench.choices import choice_tables
from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.stages import (
    TURN_IMAGES,
    Augment,
    Bench,
    Decode,
    Fill,
    Normalised,
    Resize,
    read,
    torchvision_evaluation,
    torchvision_images,
    torchvision_training,
    with_pillow,
)
from cnnbench.analysis.tables import Table
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.data.decode.engines import what_is_missing
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fastest import engine_in_words
from cnnbench.data.loading.knee import workers_for
from cnnbench.data.loading.loader import ImageMaker, Loader
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import EvaluationTransform, Transform

LOADER_COLUMNS = {"what": "", "CPU ms per image": ".3f", "times as fast": ".2f", "images/s": ",.0f"}
LOADER_BATCH = 100  # images, where the config says nothing


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds per image, the median over rounds, and the median of the reference's over it within a round."""

    name: str
    milliseconds: float
    ratio: float | None
    rounds: tuple[float, ...]  # CPU seconds per image
    wall_rate: float | None = None  # images per second on the wall, of a whole loader


def loader_tables(config: BenchConfig) -> list[Table]:
    """The cost of an image by stage and of whole loaders, beside torchvision's pipeline on the same data."""
    split = read_split(config.data, "train")
    return [table for one in one_for_each_network(config) for table in _tables_of(one, split)]


def _tables_of(config: BenchConfig, split: Split) -> list[Table]:
    bench = Bench(split, config.arch, config.augment, config.data, bench_size(config), config.images)
    workers = workers_for(split, bench.training(), config.data, 1)
    images = len(bench.indices)
    stages = stage_costs(bench, config.rounds)
    passes = -(-config.loader_images // images)
    loaders = loader_costs(bench, config.rounds, max(1, workers), min(config.batch or LOADER_BATCH, images), passes)
    engine = engine_in_words(split, config.data) + what_is_missing()
    about = (
        f"{config.arch.name}: {images} images of {config.data.path} ({split.storage.form}), "
        f"{bench.size} x {bench.size}, {engine}, data.pixels={config.data.pixels}"
    )
    notes = [
        "augment: draws, and what follows the crop; whole: all of these, into the memory of a batch, so that nothing "
        "is left to collate; normalise: outside the workers, where the network runs on the CPU",
        f"{config.rounds} rounds, medians; {machine_line()}",
    ]
    whole = f"{config.arch.name}: whole loaders, {images * passes} images"
    tables = [
        Table(title, LOADER_COLUMNS, [_row(cost) for cost in costs], notes, [_record(config, cost) for cost in costs])
        for title, costs in ((f"one thread, stage by stage: {about}", stages), (whole, loaders))
    ]
    return tables + choice_tables(bench)


def _row(cost: Cost) -> tuple[str, float, float | None, float | None]:
    return cost.name, cost.milliseconds, cost.ratio, cost.wall_rate


def _record(config: BenchConfig, cost: Cost) -> dict[str, Any]:
    return {
        "arch": config.arch.name,
        "what": "loader",
        "name": cost.name,
        "image_size": bench_size(config),
        "cpu_milliseconds_per_image": cost.milliseconds,
        "times_as_fast_as_torchvision": cost.ratio,
        "images_per_second": cost.wall_rate,
        "seconds": {"cpu_per_image": list(cost.rounds)},
    }


@dataclass(frozen=True)
class Comparison:
    """One way to make images, to be compared with torchvision's: `kind` is training or evaluation."""

    bench: Bench
    kind: str

    def work(self) -> Callable[[list[int]], None]:
        """What makes the images with the given numbers."""
        bench = self.bench
        transform: Transform
        transform = bench.training() if self.kind == "training" else EvaluationTransform(bench.arch, bench.size)
        return Fill(bench, transform)


def compare(reference: Bench, comparisons: dict[str, Comparison], rounds: int) -> list[Cost]:
    """The cost of each of `comparisons`, all of the same images, beside torchvision's on the images of `reference`."""
    works: dict[str, Callable[[list[int]], None]] = {
        "torchvision, training": partial(torchvision_images, reference, torchvision_training(reference)),
        "torchvision, evaluation": partial(torchvision_images, reference, torchvision_evaluation(reference)),
    }
    works |= {name: comparison.work() for name, comparison in comparisons.items()}
    times = _cpu_times(works, reference.indices, rounds)
    kinds = {name: times[f"torchvision, {comparison.kind}"] for name, comparison in comparisons.items()}
    return [_cost(name, times[name], kinds.get(name)) for name in works]


def stage_costs(bench: Bench, rounds: int) -> list[Cost]:
    """The cost of each stage of one thread, and of the whole, beside torchvision's complete pipeline."""
    works: dict[str, Callable[[list[int]], None]] = {
        "torchvision, training": partial(torchvision_images, bench, torchvision_training(bench)),
        "read": partial(read, bench),
        "open and decode": Decode(bench),
        "crop and resize": Resize(bench),
        "augment": Augment(bench),
        "whole, training": Comparison(bench, "training").work(),
        "normalise": Normalised(bench),
        "torchvision, evaluation": partial(torchvision_images, bench, torchvision_evaluation(bench)),
        "whole, evaluation": Comparison(bench, "evaluation").work(),
    }
    times = _cpu_times(works, bench.indices, rounds)
    compared = {"whole, training": "torchvision, training", "whole, evaluation": "torchvision, evaluation"}
    return [_cost(name, times[name], times.get(compared.get(name, ""))) for name in works]


def loader_costs(bench: Bench, rounds: int, workers: int, batch: int, passes: int) -> list[Cost]:
    """The cost of whole loaders, parent and workers together: torch's DataLoader over torchvision, and ours."""
    chosen = [SampleKey(number, index) for number in range(passes) for index in bench.indices]
    order = [chosen[start : start + batch] for start in range(0, len(chosen), batch)]
    images = bench.images(bench.training())
    works: dict[str, Callable[[], None]] = {
        f"torchvision, DataLoader, {workers} workers": partial(_data_loader, bench, order, workers),
        "ours, in this process": partial(_loader, images, order, 0, "process"),
        f"ours, {workers} processes": partial(_loader, images, order, workers, "process"),
        f"ours, {workers} threads": partial(_loader, images, order, workers, "thread"),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    walls: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            start, wall = _all_cpu(), time.perf_counter()
            work()
            times[name].append((_all_cpu() - start) / len(chosen))
            walls[name].append((time.perf_counter() - wall) / len(chosen))
    first = next(iter(works))
    return [
        _cost(name, np.array(times[name]), np.array(times[first]) if name != first else None, np.median(walls[name]))
        for name in works
    ]


def _cost(name: str, seconds: np.ndarray, reference: np.ndarray | None, wall: float | None = None) -> Cost:
    ratio = None if reference is None or not seconds.all() else float(np.median(reference / seconds))
    rate = None if wall is None else 1 / float(wall)
    return Cost(name, 1e3 * float(np.median(seconds)), ratio, tuple(map(float, seconds)), rate)


def _cpu_times(works: dict[str, Callable[[list[int]], None]], indices: list[int], rounds: int) -> dict[str, np.ndarray]:
    """CPU seconds per image of each work in each round; the works take turns every few images."""
    threads = torch.get_num_threads()
    chunks = [indices[start : start + TURN_IMAGES] for start in range(0, len(indices), TURN_IMAGES)]
    torch.set_num_threads(1)
    times = {name: np.zeros(rounds) for name in works}
    for work in works.values():
        work(chunks[0])
    for number in range(rounds):
        for chunk in chunks:
            for name, work in works.items():
                start = time.process_time()
                work(chunk)
                times[name][number] += (time.process_time() - start) / len(indices)
    torch.set_num_threads(threads)
    return times


class _TorchvisionDataset(Dataset):
    def __init__(self, bench: Bench, order: list[list[SampleKey]]) -> None:
        self.split, self.transform = bench.split, torchvision_training(bench)
        self.indices = [index for batch in order for _, index in batch]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        index = self.indices[place]
        return self.transform(with_pillow(self.split, index)), int(self.split.labels[index])


def _data_loader(bench: Bench, order: list[list[SampleKey]], workers: int) -> None:
    for _ in DataLoader(_TorchvisionDataset(bench, order), batch_size=len(order[0]), num_workers=workers):
        pass


def _loader(images: ImageMaker, order: list[list[SampleKey]], workers: int, kind: str) -> None:
    with Loader(images, order, workers, kind) as loader:
        for _ in loader:
            pass


def _all_cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])
