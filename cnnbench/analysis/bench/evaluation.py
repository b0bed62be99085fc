"""`cnnbench bench what=eval`: the loader alone, the network alone, and `cnnbench eval`'s own pass over real images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from cnnbench.analysis.bench import halves as bench_halves
from cnnbench.analysis.bench.halves import LOADER, NETWORK, WHOLE
from cnnbench.analysis.bench.network import BenchNetwork, build_bench_network
from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.timing import MedianInterval, interval, rounds_note, time_rounds
from cnnbench.analysis.tables import Table
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.loader import Batch, loader_of
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import EvaluationTransform
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.runtime.devices import choose_device, choose_workers, pins
from cnnbench.runtime.distributed import Process

EVALUATION_COLUMNS = {
    "network": "",
    "pixels": "",
    "what": "",
    "images/s": ",.1f",
    "interval": "",
    **bench_halves.HALVES_COLUMNS,
}


@dataclass(frozen=True)
class Passes:
    """Seconds of one pass over `images` images, in each round."""

    images: int
    seconds: dict[str, list[float]]

    def rate(self, name: str) -> MedianInterval:
        """Images per second."""
        return interval([self.images / second for second in self.seconds[name]])


def eval_tables(config: BenchConfig) -> list[Table]:
    """Images per second of evaluation and of its two halves alone, for the networks of `config`."""
    split = read_split(config.data, "val", read_split(config.data, "train").classes)
    rows, records = [], []
    for one in one_for_each_network(config):
        passes = measure_evaluation(one, split)
        smaller, in_turn = bench_halves.ratios(passes.seconds)
        for name, seconds in passes.seconds.items():
            rate = passes.rate(name)
            ratios = (smaller, in_turn) if name == WHOLE else (None, None)
            percent = (None if ratio is None else 100 * ratio for ratio in ratios)
            rows.append(
                (one.arch.name, bench_size(one), name, rate.median, f"{rate.low:,.1f} - {rate.high:,.1f}", *percent)
            )
            records.append(
                bench_halves.bench_record(one, "eval", name, passes.images, rate)
                | dict(zip(("of_the_smaller", "of_one_after_the_other"), ratios, strict=True))
                | {"seconds": {name: seconds}}
            )
    workers = choose_workers(config.data.workers, 1)
    notes = [
        f"{passes.images} images of {config.data.path} ({split.storage.form}) by {workers} workers, batches of "
        f"{bench_halves.batch_of(config)}, from the system's cache after the first pass; network alone: normalisation "
        "and forward pass of one batch in the device's memory, as often",
        rounds_note(config.rounds),
        bench_halves.NOTE,
        machine_line(),
    ]
    return [Table("evaluation", EVALUATION_COLUMNS, rows, notes, records)]


def measure_evaluation(config: BenchConfig, split: Split) -> Passes:
    """Passes of the config's network over images that are evenly spaced over `split`."""
    order = _order(len(split), config)
    transform, workers = (
        EvaluationTransform(config.arch, bench_size(config)),
        choose_workers(config.data.workers, 1),
    )
    with loader_of(split, transform, config.data, order, workers, pins(choose_device(config.device))) as loader:
        loader.start(len(order[0]))
        network = build_bench_network(config, len(split.classes))
        network.model.eval()
        normalise = Normalise(config.arch, network.device, config.channels_last)
        batch = bench_halves.resident(config, network.device, len(order[0]), 0)
        works: dict[str, Callable[[], object]] = {
            LOADER: partial(bench_halves.load_all, loader),
            NETWORK: partial(_forward, network, normalise, batch, order),
            WHOLE: partial(evaluate, [network.call], loader, normalise, network.precision, Process()),
        }
        return Passes(sum(map(len, order)), time_rounds(works, config.rounds, network.device, least=0))


def _order(images: int, config: BenchConfig) -> list[list[SampleKey]]:
    """Batches of loader_images images, of which `images` of the config are different."""
    numbers = np.linspace(0, images - 1, min(config.images, images)).astype(int).tolist()
    repeated = (numbers * -(-config.loader_images // len(numbers)))[: config.loader_images]
    chosen = [SampleKey(0, number) for number in repeated]
    batch = bench_halves.batch_of(config)
    return [chosen[start : start + batch] for start in range(0, len(chosen), batch)]


@torch.inference_mode()
def _forward(network: BenchNetwork, normalise: Normalise, batch: Batch, order: list[list[SampleKey]]) -> None:
    """A forward pass for each batch of `order`, all on the same images; the last one may be smaller."""
    for chosen in order:
        part = Batch(batch.images[: len(chosen)], batch.labels[: len(chosen)], batch.parameters[: len(chosen)])
        with network.precision.autocast():
            network.call(normalise(part)).float()
