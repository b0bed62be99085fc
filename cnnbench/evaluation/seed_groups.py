"""Runs that differ in their seed alone: trainings of one recipe, from which it is known how far errors vary."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnbench.config.fields import MAY_CHANGE, entries, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.runs.absolute import with_absolute_paths
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import runs_in
from cnnbench.runtime.errors import UserError

OWN = ("run", "seed")  # what each training of a group has to itself
TRIAL = (
    "debug",
    "max_steps",
    "one_batch",
)  # of what may change when a run is continued, what makes it another training


def recipe_key(config: TrainConfig) -> tuple[Any, ...]:
    """Equal for trainings that differ in their seed alone, and in keys that change no result."""
    config = with_absolute_paths(config)
    values = ((name, value_of(config, name), item.metadata["note"]) for name, item in entries(TrainConfig).items())
    return tuple(
        (name, repr(value))
        for name, value, note in values
        if name not in OWN and (note != MAY_CHANGE or name in TRIAL) and not dataclasses.is_dataclass(value)
    )


def by_seed(configs: Sequence[TrainConfig | None]) -> list[list[int]]:
    """The places of `configs` in groups of one recipe and different seeds, in their order; None is alone."""
    groups: dict[Any, list[int]] = {}
    for place, config in enumerate(configs):
        groups.setdefault(place if config is None else recipe_key(config), []).append(place)
    return [part for group in groups.values() for part in _different_seeds(group, configs)]


def siblings(folder: Path) -> list[Path]:
    """The runs beside that in `folder` which differ from it in their seed alone; runs that cannot be read are none."""
    own = load_config(folder)
    found: dict[int, Path] = {}
    for name in runs_in(folder.parent):
        other = folder.parent / name
        try:
            config = load_config(other)
        except UserError:
            continue
        if other.resolve() != folder.resolve() and config.seed != own.seed and recipe_key(config) == recipe_key(own):
            found.setdefault(config.seed, other)
    return list(found.values())


def _different_seeds(group: list[int], configs: Sequence[TrainConfig | None]) -> list[list[int]]:
    """`group` whole if no seed is in it twice; else each alone: a run repeated is no second training."""
    seeds = [config.seed for place in group if (config := configs[place]) is not None]
    return [group] if len(set(seeds)) == len(seeds) else [[place] for place in group]
