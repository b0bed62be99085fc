"""`cnnbench bench what=eval`: the loader alone, the network alone, and `cnnbench eval`'s own pass over real images."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from cnnbench.analysis.bench_network import LECTURE_BATCH, Network, build
from cnnbench.analysis.bench_output import machine_line
from cnnbench.analysis.bench_time import interval, rounds_note, time_rounds
from cnnbench.analysis.tables import Table
from cnnbench.config_bench import BenchConfig, bench_side, networks
from cnnbench.data.layouts import read_split
from cnnbench.data.loader import Batch, Chosen, Loader, loader_of
from cnnbench.data.normalise import Normalise
from cnnbench.data.split import Split
from cnnbench.data.transform import EvaluationTransform
from cnnbench.distributed import Process, choose_device, choose_workers
from cnnbench.evaluation.evaluate import evaluate

LOADER, NETWORK, BOTH = "loader alone", "network alone", "end to end"

COLUMNS = {
    "network": "",
    "pixels": "",
    "what": "",
    "images/s": ",.1f",
    "interval": "",
    "of the smaller (%)": ".1f",
    "of one after the other (%)": ".1f",
}


@dataclass(frozen=True)
class Passes:
    """Seconds of one pass over `images` images, in each round; `smaller` and `in_turn` compare the end with its parts:
    its speed over that of the slower of loader and network, and over what they reach one after the other."""

    images: int
    seconds: dict[str, list[float]]

    @property
    def smaller(self) -> float:
        parts = zip(*(self.seconds[name] for name in (LOADER, NETWORK, BOTH)), strict=True)
        return statistics.median(max(loader, network) / both for loader, network, both in parts)

    @property
    def in_turn(self) -> float:
        parts = zip(*(self.seconds[name] for name in (LOADER, NETWORK, BOTH)), strict=True)
        return statistics.median((loader + network) / both for loader, network, both in parts)


def eval_tables(config: BenchConfig) -> list[Table]:
    """Images per second of evaluation and of its two halves alone, for the networks of `config`."""
    split = read_split(config.data, "val", read_split(config.data, "train").classes)
    rows, records = [], []
    for one in networks(config):
        passes = measure(one, split)
        for name, seconds in passes.seconds.items():
            rate = interval([passes.images / second for second in seconds])
            ratios = (100 * passes.smaller, 100 * passes.in_turn) if name == BOTH else (None, None)
            rows.append(
                (one.arch.name, bench_side(one), name, rate.median, f"{rate.low:,.1f} - {rate.high:,.1f}", *ratios)
            )
            records.append(_record(one, name, passes))
    workers = choose_workers(config.data.workers, Process())
    notes = [
        f"{passes.images} images of {config.data.path} ({split.storage.form}) by {workers} workers, batches of "
        f"{config.batch or LECTURE_BATCH}, from the system's cache after the first pass; network alone: normalisation "
        "and forward pass of one batch in the device's memory, as often",
        rounds_note(config.rounds),
        "of the smaller: end to end over the slower half alone, the most that can be had where the two use other parts "
        "of the machine; of one after the other: over what is left where they share its cores, as on a CPU",
        machine_line(),
    ]
    return [Table("evaluation", COLUMNS, rows, notes, records)]


def measure(config: BenchConfig, split: Split) -> Passes:
    """Passes of the config's network over images that are evenly spaced over `split`."""
    on_gpu = choose_device(config.device) == "cuda"
    order = _order(len(split), config)
    transform, workers = (
        EvaluationTransform(config.arch, bench_side(config)),
        choose_workers(config.data.workers, Process()),
    )
    with loader_of(split, transform, config.arch.in_channels, config.data, order, workers, on_gpu) as loader:
        loader.start(len(order[0]))
        network = build(config, len(split.classes))
        network.model.eval()
        normalise = Normalise(config.arch, network.device, config.channels_last)
        works = {
            LOADER: partial(_load, loader),
            NETWORK: partial(_forward, network, normalise, _resident(network, config, len(order[0])), order),
            BOTH: partial(evaluate, [network.call], loader, normalise, network.precision, Process()),
        }
        return Passes(sum(map(len, order)), time_rounds(works, config.rounds, network.device, least=0))


def _order(images: int, config: BenchConfig) -> list[Chosen]:
    """Batches of loader_images images, of which `images` of the config are different."""
    numbers = np.linspace(0, images - 1, min(config.images, images)).astype(int).tolist()
    chosen = [(0, number) for number in (numbers * -(-config.loader_images // len(numbers)))[: config.loader_images]]
    batch = config.batch or LECTURE_BATCH
    return [chosen[start : start + batch] for start in range(0, len(chosen), batch)]


def _resident(network: Network, config: BenchConfig, images: int) -> Batch:
    """A batch of noise as a loader would make it, but in the device's memory."""
    side, device = bench_side(config), network.device
    pixels = torch.randint(0, 256, (images, side, side, config.arch.in_channels), dtype=torch.uint8, device=device)
    return Batch(pixels, torch.zeros(images, dtype=torch.int64, device=device), torch.zeros(images, 0))


def _load(loader: Loader) -> None:
    for _ in loader:
        pass


@torch.inference_mode()
def _forward(network: Network, normalise: Normalise, batch: Batch, order: list[Chosen]) -> None:
    """A forward pass for each batch of `order`, all on the same images; the last one may be smaller."""
    for chosen in order:
        part = Batch(batch.images[: len(chosen)], batch.labels[: len(chosen)], batch.parameters[: len(chosen)])
        with network.precision.autocast():
            network.call(normalise(part)).float()


def _record(config: BenchConfig, name: str, passes: Passes) -> dict[str, Any]:
    rate = interval([passes.images / second for second in passes.seconds[name]])
    return {
        "arch": config.arch.name,
        "what": "eval",
        "pass": name,
        "batch": config.batch or LECTURE_BATCH,
        "image_size": bench_side(config),
        "images": passes.images,
        "images_per_second": rate.median,
        "low": rate.low,
        "high": rate.high,
        "confidence": rate.confidence,
        "of_the_smaller": passes.smaller if name == BOTH else None,
        "of_one_after_the_other": passes.in_turn if name == BOTH else None,
        "seconds": {name: passes.seconds[name]},
    }
