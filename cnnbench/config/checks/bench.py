"""Measurements of speed."""

from __future__ import annotations

from pathlib import Path

from cnnbench.config.arch import check_arch, check_size
from cnnbench.config.augment import check_augment
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.config.checks.common import (
    check_precision,
)
from cnnbench.config.data import check_source, is_synthetic
from cnnbench.config.fields import check_fields, plain, require
from cnnbench.config.written import FOLDER, check_written


def check_bench(config: BenchConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    for one in one_for_each_network(config):
        check_arch(one.arch)
        check_size(one.arch, bench_size(one))
        check_augment(one.augment, bench_size(one))
    _check_bench_batch(config)
    check_precision(config)
    if config.data.path is not None:
        check_source(config.data)
    if config.what != "model":
        path = config.data.given_path
        require(
            config.what == "train" or not is_synthetic(path),
            f"what={config.what} measures how images are read, and data={path} has no files: give "
            "data=PATH, or data=sample for the bundled images",
        )
    require(
        not config.profile or config.what in ("model", "all"),
        f"profile=true traces a step of the network alone: use what=model, not what={config.what}",
    )
    if config.output is not None:
        output = Path(config.output)
        require(output.suffix in ("", ".json"), f"output={output} needs the ending .json, or none for a folder")
        check_written("output", str(output.parent if output.suffix else output), FOLDER)


def _check_bench_batch(config: BenchConfig) -> None:
    batch = config.batch
    if batch == "max":
        require(config.what == "model", f"batch=max is for what=model, not what={config.what}: give a number")
    elif batch is not None:
        whole = isinstance(batch, int) and not isinstance(batch, bool)
        require(
            whole and batch >= 1, f"batch={plain(batch)} is not possible: give a number of images from 1 on, or max"
        )
