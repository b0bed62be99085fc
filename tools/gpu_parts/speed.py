"""Parts of stage b: speed, by what `cnnbench bench` measures with, and beside torchvision's recipe."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from cnnbench.analysis.bench import halves
from cnnbench.analysis.bench import model as bench_model
from cnnbench.analysis.bench import training as bench_training
from cnnbench.analysis.bench.model import PRODUCT, MatrixProduct, measure_model
from cnnbench.analysis.bench.network import build_bench_network, choose
from cnnbench.analysis.bench.timing import interval
from cnnbench.analysis.bench.training import Trainer, measure_loops, measure_parts
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import config_of
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.bench import BenchConfig, bench_size
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.device_memory import PeakMemory
from cnnbench.runtime.devices import on_cpu, synchronize
from cnnbench.runtime.nvml import meter_of
from cnnbench.runtime.precision import DTYPES
from gpu_parts.job import Job, drop_memory, fitting
from gpu_parts.pictures import write_pictures
from gpu_parts.reference import Script, script

OURS, AS_IS, TUNED = "cnnbench train", "torchvision's recipe", "the same, as one writes it today"
METERED = 8.0  # seconds of ours alone, while the driver is asked for energy and utilisation
CLASSES = 1000


def recipe(job: Job) -> None:
    """A network by the loop of `cnnbench train` and by torchvision's recipe, in turns on the same batch."""
    name = f"{job.sizes.recipe_network}, {job.sizes.recipe_side} pixels"
    keys = {f"{name}, not compiled": False} | ({f"{name}, compiled": True} if job.sizes.compile else {})
    job.each(keys, lambda key: _beside_recipe(job, keys[key]))


def _beside_recipe(job: Job, compiled: bool) -> dict[str, Any]:
    sizes = job.sizes
    device, _ = choose(_bench(job, sizes.recipe_network))
    scripts = partial(script, sizes.recipe_network, side=sizes.recipe_side, device=device)

    def one_of_each(images: int) -> None:
        """Whether a batch fits is known before minutes are spent on compiling."""
        _Ours(job, images, False).run(1)
        scripts(batch=images, tuned=False, compiled=False).run(1)

    batch = fitting(sizes.recipe_batch, one_of_each, device)
    drop_memory()
    torch.compiler.reset()
    makers: dict[str, Callable[[], _Ours | Script]] = {
        AS_IS: lambda: scripts(batch=batch, tuned=False, compiled=False),
        OURS: lambda: _Ours(job, batch, compiled),
        TUNED: lambda: scripts(batch=batch, tuned=True, compiled=compiled),
    }
    works, first = {}, {}
    for name, make in makers.items():
        begun = time.perf_counter()
        works[name] = make()
        works[name].run(3)  # compilation, choice of kernels
        synchronize(device)
        first[name] = time.perf_counter() - begun
    ours = works.pop(OURS)
    assert isinstance(ours, _Ours)
    peak = PeakMemory(device)
    speeds = _in_turn(ours, works, job, device)
    return {
        "batch": batch,
        "images_per_second": {name: asdict(interval(values)) for name, values in speeds.items()},
        "over": {
            name: asdict(interval([own / other for own, other in zip(speeds[OURS], speeds[name], strict=True)]))
            for name in works
        },
        "seconds_before": first,
        "compiled": compiled,
        "peak_memory_of_all": peak.read(),
        **_metered(ours, speeds[OURS], device),
    }


class _Ours:
    """The loop of `cnnbench train`, with its log, on a batch in the device's memory."""

    def __init__(self, job: Job, batch: int, compiled: bool) -> None:
        sizes, self.batch = job.sizes, batch
        config = _bench(job, sizes.recipe_network, f"batch={batch}", f"image_size={sizes.recipe_side}")
        network = build_bench_network(replace(config, compile=compiled), CLASSES)
        for values in network.optimizer.param_groups:
            values["weight_decay"] = 1e-4  # as the script has it
        self.trainer = Trainer(config, network, AugmentConfig(), CLASSES, job.work / "loop")
        self.images = halves.resident(config, network.device, batch, 0)

    def run(self, steps: int) -> None:
        """So many steps of a run of their own."""
        self.trainer.run(repeat(self.images, steps), steps)


def _in_turn(ours: _Ours, others: Mapping[str, Any], job: Job, device: torch.device) -> dict[str, list[float]]:
    """Images per second in each round, of which a first does not count: ours is one run, which has to wait for its next
    batch until the others have had their turns."""
    works = {OURS: ours, **others}
    taken = {name: _seconds(partial(work.run, 3), device) / 3 for name, work in works.items()}
    steps = {name: max(1, math.ceil(job.sizes.turn / seconds)) for name, seconds in taken.items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}

    def turns() -> Iterator[Batch]:
        for _ in range(1 + job.sizes.rounds):
            synchronize(device)
            begun = time.perf_counter()
            yield from repeat(ours.images, steps[OURS])
            synchronize(device)
            seconds[OURS].append(time.perf_counter() - begun)
            for name, work in others.items():
                seconds[name].append(_seconds(partial(work.run, steps[name]), device))

    ours.trainer.run(turns(), steps[OURS] * (1 + job.sizes.rounds))
    return {name: [ours.batch * steps[name] / each for each in seconds[name][1:]] for name in works}


def _metered(ours: _Ours, speeds: list[float], device: torch.device) -> dict[str, float]:
    """What the driver says of the GPU while ours runs alone."""
    seconds = 0.0 if on_cpu(device) else METERED
    steps = max(1, round(seconds * statistics.median(speeds) / ours.batch))
    meter = meter_of(device)
    ours.run(steps)
    synchronize(device)
    told = meter.read()
    joules = told.pop("device_joules", None)
    return told | ({} if joules is None else {"joules_per_image": joules / (steps * ours.batch)})


def own_loop(job: Job) -> None:
    """The loop of `cnnbench train` beside a bare one, not compiled."""
    job.each(job.sizes.alone[:1], lambda name: _loops(job, name))


def _loops(job: Job, name: str) -> dict[str, Any]:
    config = _bench(job, name, f"batch={job.sizes.alone_batch}", f"image_size={job.sizes.recipe_side}")
    with mock.patch.object(bench_training, "ROUND_SECONDS", job.sizes.turn):
        found = measure_loops(config)
    ours, bare = (found.spent[kind] for kind in (bench_training.OURS, bench_training.BARE))
    over = [100 * (own / other - 1) for own, other in zip(ours.wall, bare.wall, strict=True)]
    speed = {kind: asdict(found.rate(kind)) for kind in found.spent}
    return {"batch": job.sizes.alone_batch, "images_per_second": speed, "percent_over_bare": asdict(interval(over))}


def end_to_end(job: Job) -> None:
    """Training on JPEG files: the loader alone, the network alone, and both."""
    job.each(job.sizes.alone[:1], lambda name: _end_to_end(job, name))


def _end_to_end(job: Job, name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), job.sizes.pictures, job.sizes.picture_side)
        words = [f"data={folder}", f"batch={job.sizes.alone_batch}", f"image_size={job.sizes.recipe_side}"]
        words += [f"images={job.sizes.pictures}", f"loader_images={job.sizes.loader_images}"]
        config = _bench(job, name, *words, *["data.workers=0"] * (job.sizes.device == "cpu"), what="train")
        found = measure_parts(config, read_split(config.data, "train"))
    smaller, _ = halves.ratios({part: spent.wall for part, spent in found.spent.items()})
    whole = found.spent[halves.WHOLE]
    waited = statistics.median(waited / wall for waited, wall in zip(whole.waited, whole.wall, strict=True))
    speed = {part: asdict(found.rate(part)) for part in found.spent}
    return {
        "batch": job.sizes.alone_batch,
        "images_per_second": speed,
        "of_the_slower_half": smaller,
        "waiting": waited,
    }


def alone(job: Job) -> None:
    """Networks alone, not compiled: a step's time, utilisation and peak memory."""
    device, precision = choose(_bench(job, "lenet"))
    side = job.sizes.matrix or bench_model.MATRIX_ON_GPU
    with mock.patch.object(bench_model, "MATRIX_ON_GPU", side), mock.patch.object(bench_model, "MATRIX", side):
        product = MatrixProduct(device, DTYPES[precision.name])
    job.each(job.sizes.alone, lambda name: _alone(job, name, product, device))


def _alone(job: Job, name: str, product: MatrixProduct, device: torch.device) -> dict[str, Any]:
    size = [] if job.sizes.alone_side is None else [f"image_size={job.sizes.alone_side}"]
    config = _bench(job, name, *size)
    batch = fitting(job.sizes.alone_batch, lambda images: _step_once(config, images), device)
    drop_memory()
    found, *_ = measure_model(replace(config, batch=batch), product)
    step, peaks = found.seconds["step"], found.seconds[PRODUCT]
    operations = 2 * 3 * found.macs * batch
    used = [operations / own / (product.operations / peak) for own, peak in zip(step, peaks, strict=True)]
    return {
        "batch": batch,
        "images_per_second": asdict(interval([batch / seconds for seconds in step])),
        "utilisation": statistics.median(used),
        "peak_memory": found.peak_bytes,
        "product_tflops": product.operations / statistics.median(peaks) / 1e12,
    }


def _step_once(config: BenchConfig, images: int) -> None:
    network = build_bench_network(config)
    network.step(network.images(images, config.arch.in_channels, bench_size(config)))
    synchronize(network.device)


def _bench(job: Job, name: str, *words: str, what: str = "model") -> BenchConfig:
    """The config of `cnnbench bench` with these keys."""
    given = [f"what={what}", f"arch={name}", f"device={job.sizes.device}", f"rounds={job.sizes.rounds}"]
    config: BenchConfig = config_of(COMMANDS["bench"], [*given, *words])
    return config


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    synchronize(device)
    begun = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - begun
