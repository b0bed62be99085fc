"""Checks of the `cnnbench data` commands: each raises UserError for the first thing wrong. Does not import torch."""

from __future__ import annotations

from pathlib import Path

from cnnbench.config.checks import check_arch
from cnnbench.config.checks_augment import check_augment
from cnnbench.config.checks_source import check_data_path, check_source
from cnnbench.config.data_commands import (
    SPLITS,
    CheckConfig,
    DataIndexConfig,
    PackConfig,
    PrepareConfig,
    ShowConfig,
    StatsConfig,
)
from cnnbench.config.schema import side
from cnnbench.config.values import check_choices, check_range, require
from cnnbench.runtime.errors import nearest


def check_data_index(config: DataIndexConfig) -> None:
    """Raise UserError for a data set that is missing or not there."""
    check_choices(config)
    require(config.data.path is not None, "data is missing: give data=PATH")
    check_data_path(config.data.path)


def check_pack(config: PackConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    check_source(config.data)
    require(config.output is not None, "output is missing: give output=FOLDER for the packed files")
    _check_splits(config.splits)
    if config.form == "original":
        for name in ("short_side", "interpolation"):
            require(getattr(config, name) is None, f"form=original keeps the files as they are: it takes no {name}")
    check_range("short_side", config.short_side, 1)
    check_range("quality", config.quality, 1, 100)
    check_range("shard_size", config.shard_size, 1)
    check_range("workers", config.workers, 0)


def check_prepare(config: PrepareConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_source(config.data)
    require(config.output is not None, "output is missing: give output=FOLDER for the class folders")
    _check_splits(config.splits)
    check_range("workers", config.workers, 0)


def check_check(config: CheckConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_source(config.data)
    _check_splits(config.splits)
    check_range("workers", config.workers, 0)


def check_stats(config: StatsConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_choices(config)
    check_source(config.data)
    check_range("image_size", config.image_size, 1)
    check_range("crop_ratio", config.crop_ratio, 0, 1, open_low=True)
    check_range("workers", config.workers, 0)


def check_show(config: ShowConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_choices(config)
    check_source(config.data)
    require(Path(config.output).suffix.lower() == ".png", f"output={config.output} needs the ending .png")
    for name in ("count", "rows", "draws", "image_size"):
        check_range(name, getattr(config, name), 1)
    check_range("side", config.side, 16)
    if config.draws is not None:
        check_range("seed", config.seed, 0)
        check_arch(config.arch)
        check_augment(config.augment, side(config))
        require(config.augment.device == "cpu", "data show draws on the CPU: leave augment.device=cpu")


def _check_splits(splits: list[str]) -> None:
    require(len(splits) > 0, f"splits is empty: choose of {', '.join(SPLITS)}")
    require(len(set(splits)) == len(splits), f"splits names {splits[0]} twice")
    for name in splits:
        require(name in SPLITS, f"splits={name} is unknown{nearest(name, SPLITS)}; choose of {', '.join(SPLITS)}")
