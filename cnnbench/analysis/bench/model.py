"""`cnnbench bench what=model`: a network alone, on images in the device's memory: time, utilisation and peak memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from cnnbench.analysis.bench import memory as bench_memory
from cnnbench.analysis.bench.network import (
    LECTURE_BATCH,
    BenchNetwork,
    ImageBatch,
    build_bench_network,
    choose,
)
from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.bench.profile import profile_table
from cnnbench.analysis.bench.timing import interval, rounds_note, time_rounds
from cnnbench.analysis.describe.network import describe, published_classes
from cnnbench.analysis.tables import Table
from cnnbench.archs.from_config import build_on_meta
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.runtime.devices import is_out_of_memory, memory_format, on_cpu
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.precision import DTYPES

MATRIX, MATRIX_ON_GPU = 2048, 8192  # side of the square matrices whose product shows the device's peak
PRODUCT = "matrix product"

# Pass -> its multiply-adds, in forward passes: backward multiplies by the weights and by the inputs once each.
PASSES = {"forward": 1, "forward + backward": 3, "step": 3}
SIXTEEN = f"forward + backward of {LECTURE_BATCH}"

TIME_COLUMNS = {
    "network": "",
    "pass": "",
    "images": ",d",
    "ms": ",.2f",
    "interval (ms)": "",
    "images/s": ",.1f",
    "TFLOP/s": ",.3f",
    "utilisation (%)": ".1f",
}
MEMORY_COLUMNS = {
    "network": "",
    "pixels": "",
    "batch": ",d",
    "params (M)": ",.2f",
    "MACs (G)": ",.3f",
    "peak memory (MiB)": ",.1f",
}


@dataclass(frozen=True)
class ModelMeasurement:
    """What was measured of one network: seconds of each pass in each round, and the product's beside them."""

    config: BenchConfig
    batch: int
    params: int
    macs: int
    peak_bytes: int | None
    seconds: dict[str, list[float]]
    notes: list[str]


def model_tables(config: BenchConfig) -> list[Table]:
    """Time, utilisation and memory of the networks of `config`, and where the time goes if they are to be profiled."""
    device, precision = choose(config)
    product = MatrixProduct(device, DTYPES[precision.name])
    measured, profiles = [], []
    for one in one_for_each_network(config):
        try:
            found, network, images = measure_model(one, product)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"{one.arch.name} at batch={one.batch} does not fit into memory: give a smaller batch, or "
                "batch=max for the largest that fits"
            ) from error
        except ValueError as error:  # a batch of one image, for batch normalisation over a single pixel
            raise UserError(f"{one.arch.name} at batch={one.batch}: {reason(error)}") from error
        measured.append(found)
        if config.profile:
            several = one.arch.name if config.archs else None
            profiles.append(profile_table(one.arch.name, partial(network.step, images), device, config.trace, several))
        del network, images
    last = memory_format(config.channels_last, device) == torch.channels_last
    where = f"{device.type}, {precision.name}, {'channels_last' if last else 'contiguous'}"
    where += ", compiled" if config.compile else ""
    where += ", activations recomputed" if config.memory == "save" else ""
    notes = [
        rounds_note(config.rounds),
        "forward: in training mode, with the loss and the graph for a backward pass; step: forward, backward and the "
        "update of SGD with momentum; images are noise in the device's memory",
        "TFLOP/s: 2 x multiply-adds (cnnbench describe; convolutions and fully connected layers, without auxiliary "
        "heads), a backward pass counted as two forward passes",
        f"utilisation: TFLOP/s over those of a product of {product.side} x {product.side} matrices in "
        f"{precision.name}, here {_product_speed(measured, product) / 1e12:,.3f}, timed in turn with the passes",
        machine_line(),
    ]
    rows = [row for found in measured for row in _rows(found, product)]
    records = [record for found in measured for record in _records(found, product)]
    about = dict.fromkeys(note for found in measured for note in found.notes)
    memory = [*about, bench_memory.how(device)]
    return [
        Table(f"networks alone: {where}", TIME_COLUMNS, rows, notes, records),
        Table("their memory", MEMORY_COLUMNS, [_memory_row(found) for found in measured], memory),
        *profiles,
    ]


def measure_model(config: BenchConfig, product: MatrixProduct) -> tuple[ModelMeasurement, BenchNetwork, ImageBatch]:
    """Measure the network of `config` on its batch; the network and its images too, for a look inside."""
    network, side = build_bench_network(config), bench_size(config)
    made = partial(network.images, channels=config.arch.in_channels, side=side)
    batch, notes = _batch(config, network, made)
    images = made(batch)
    works: dict[str, Callable[[], object]] = {
        "forward": partial(network.forward, images),
        "forward + backward": partial(network.backward, images),
        "step": partial(network.step, images),
        PRODUCT: product,
    }
    if batch != LECTURE_BATCH:
        works[SIXTEEN] = partial(network.backward, made(LECTURE_BATCH))
    seconds = time_rounds(works, config.rounds, network.device)
    description = describe(
        build_on_meta(config.arch, published_classes(config.arch.name), side), side, config.arch.in_channels
    )
    totals, peak = description.totals, _peak(network, images)
    return ModelMeasurement(config, batch, totals.params_with_aux, totals.macs, peak, seconds, notes), network, images


class MatrixProduct:
    """The product of two square matrices: the work that comes nearest to a device's peak in an arithmetic."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.side = MATRIX if on_cpu(device) else MATRIX_ON_GPU
        shape = self.side, self.side
        self.a, self.b = (torch.randn(shape, device=device).to(dtype) for _ in range(2))
        self.out = torch.empty_like(self.a)

    @property
    def operations(self) -> int:
        """Multiplications and additions of one product."""
        return 2 * self.side**3

    def __call__(self) -> None:
        torch.mm(self.a, self.b, out=self.out)


def _batch(config: BenchConfig, network: BenchNetwork, made: Callable[[int], ImageBatch]) -> tuple[int, list[str]]:
    """The batch that is measured, and notes on how it was chosen."""
    if config.batch != "max":
        return config.batch or LECTURE_BATCH, []
    network = replace(network, call=network.model)  # compiling for each size would take minutes
    if not on_cpu(network.device):
        batch, note = bench_memory.largest_on_gpu(lambda number: network.step(made(number)), network.device)
    else:
        batch, note = bench_memory.largest_on_cpu(lambda number: _peak(network, made(number)) or 0)
    return batch, [f"{config.arch.name}: {note}"]


def _peak(network: BenchNetwork, images: ImageBatch) -> int | None:
    network.step(images)  # makes what stays from step to step
    network.optimizer.zero_grad(set_to_none=True)
    return bench_memory.peak_bytes(partial(network.step, images), [*network.resident(), *images], network.device)


def _rows(found: ModelMeasurement, product: MatrixProduct) -> list[tuple[Any, ...]]:
    return [
        (
            record["arch"],
            record["pass"],
            record["batch"],
            1e3 * record["seconds_per_batch"],
            f"{1e3 * record['low']:,.2f} - {1e3 * record['high']:,.2f}",
            record["images_per_second"],
            record["tflops"],
            100 * record["utilisation"],
        )
        for record in _records(found, product)
    ]


def _records(found: ModelMeasurement, product: MatrixProduct) -> list[dict[str, Any]]:
    """One for each pass, its times in seconds per batch."""
    peaks = found.seconds[PRODUCT]
    records = []
    for name, times in found.seconds.items():
        if name == PRODUCT:
            continue
        batch = LECTURE_BATCH if name == SIXTEEN else found.batch
        operations = 2 * found.macs * batch * PASSES.get(name, 3)
        timed = interval(times)
        share = [operations / own / (product.operations / peak) for own, peak in zip(times, peaks, strict=True)]
        records.append(
            {
                "arch": found.config.arch.name,
                "what": "model",
                "pass": name,
                "batch": batch,
                "image_size": bench_size(found.config),
                "seconds_per_batch": timed.median,
                "low": timed.low,
                "high": timed.high,
                "confidence": timed.confidence,
                "images_per_second": batch / timed.median,
                "tflops": operations / timed.median / 1e12,
                "utilisation": statistics.median(share),
                "params": found.params,
                "macs": found.macs,
                "peak_bytes": found.peak_bytes if name == "step" else None,
                "seconds": {name: times, PRODUCT: peaks},
            }
        )
    return records


def _product_speed(measured: list[ModelMeasurement], product: MatrixProduct) -> float:
    """Operations per second of the product, the median over all rounds of all networks."""
    return product.operations / statistics.median(t for found in measured for t in found.seconds[PRODUCT])


def _memory_row(found: ModelMeasurement) -> tuple[Any, ...]:
    name, side = found.config.arch.name, bench_size(found.config)
    return (
        name,
        side,
        found.batch,
        found.params / 1e6,
        found.macs / 1e9,
        None if found.peak_bytes is None else found.peak_bytes / 2**20,
    )
