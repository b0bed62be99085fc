"""Real images end to end beside its two halves, the loader alone and the network alone: what training and evaluation
share when they are measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import torch

from cnnbench.analysis.bench.network import LECTURE_BATCH
from cnnbench.analysis.bench.timing import MedianInterval
from cnnbench.config.bench import BenchConfig, bench_size
from cnnbench.data.loading.loader import Batch, Loader

LOADER, NETWORK, WHOLE = "loader alone", "network alone", "end to end"

HALVES_COLUMNS = {"of the smaller (%)": ".1f", "of one after the other (%)": ".1f"}
NOTE = (
    "of the smaller: end to end over the slower half alone, the most that can be had where the two use other parts "
    "of the machine; of one after the other: over what is left where they share its cores, as on a CPU"
)


def ratios(seconds: Mapping[str, list[float]]) -> tuple[float, float]:
    """The speed of the whole over that of its slower half, and over what both reach one after the other; medians over
    the rounds, from the seconds of LOADER, NETWORK and WHOLE in each."""
    rounds = list(zip(*(seconds[name] for name in (LOADER, NETWORK, WHOLE)), strict=True))
    smaller = statistics.median(max(loader, network) / whole for loader, network, whole in rounds)
    return smaller, statistics.median((loader + network) / whole for loader, network, whole in rounds)


def batch_of(config: BenchConfig) -> int:
    """Images in a batch."""
    return config.batch or LECTURE_BATCH


def resident(config: BenchConfig, device: torch.device, images: int, columns: int) -> Batch:
    """A batch of noise as a loader would make it, with `columns` parameters an image, but in the device's memory."""
    side = bench_size(config)
    pixels = torch.randint(0, 256, (images, side, side, config.arch.in_channels), dtype=torch.uint8, device=device)
    return Batch(pixels, torch.zeros(images, dtype=torch.int64, device=device), torch.zeros(images, columns).double())


def load_all(loader: Loader) -> None:
    """One pass of the loader alone."""
    for _ in loader:
        pass


def bench_record(config: BenchConfig, what: str, name: str, images: int, rate: MedianInterval) -> dict[str, Any]:
    """What a row of the JSON file says of every measurement; `rate`: images per second."""
    return {
        "arch": config.arch.name,
        "what": what,
        "pass": name,
        "batch": batch_of(config),
        "image_size": bench_size(config),
        "images": images,
        "images_per_second": rate.median,
        "low": rate.low,
        "high": rate.high,
        "confidence": rate.confidence,
    }
