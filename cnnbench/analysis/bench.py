"""`cnnbench bench`: measured speed, as a table."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from cnnbench import runs
from cnnbench.analysis.bench_loader import Bench, Cost, loader_costs, stage_costs
from cnnbench.analysis.tables import Table, render
from cnnbench.config import BenchConfig, side
from cnnbench.data.engines import choose_engine
from cnnbench.data.layouts import read_split
from cnnbench.errors import UserError
from cnnbench.machine import processor, usable_cores

COLUMNS = {"what": "", "CPU ms per image": ".3f", "times as fast": ".2f", "images/s": ",.0f"}


def bench_command(config: BenchConfig) -> None:
    """Measure what `config` names, print it, and write it as JSON where `output` says so."""
    tables = loader_tables(config)
    print(render(tables, config.format))
    if config.output is not None:
        try:
            runs.write_text(Path(config.output).expanduser(), render(tables, "json") + "\n")
        except OSError as error:
            raise UserError(f"cannot write {config.output}: {error.strerror}") from error


def loader_tables(config: BenchConfig) -> list[Table]:
    """The cost of an image by stage and of whole loaders, beside torchvision's pipeline on the same data."""
    split = read_split(config.data, "train")
    bench = Bench(split, config.arch, config.augment, config.data, side(config), config.images)
    workers = config.data.workers if config.data.workers is not None else usable_cores()
    images = len(bench.indices)
    stages = stage_costs(bench, config.rounds)
    passes = -(-config.loader_images // images)
    loaders = loader_costs(bench, config.rounds, max(1, workers), min(config.batch, images), passes)
    about = (
        f"{images} images of {config.data.path} ({split.storage.form}), {bench.size} x {bench.size}, "
        f"data.engine={choose_engine(config.data.engine)}, data.pixels={config.data.pixels}"
    )
    notes = [f"{config.rounds} rounds, medians; {machine()}"]
    return [
        Table(f"one thread, stage by stage: {about}", COLUMNS, [_row(cost) for cost in stages], notes),
        Table(f"whole loaders, {images * passes} images", COLUMNS, [_row(cost) for cost in loaders], notes),
    ]


def machine() -> str:
    """Processor, cores and versions, for the line below every measurement."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{processor()}, {usable_cores()} cores, {versions}"


def _row(cost: Cost) -> tuple[str, float, float | None, float | None]:
    return cost.name, cost.milliseconds, cost.ratio, cost.wall_rate
