"""config.yaml: the resolved config of a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from cnnbench import __version__
from cnnbench.config.fields import MAY_CHANGE, entries, from_dict, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.runs.absolute import PATHS, typed, with_absolute_paths
from cnnbench.runs.paths import CONFIG, run_name, runs_in
from cnnbench.runtime.errors import UserError, nearest, reason
from cnnbench.runtime.files import write_text

TYPED = "typed"  # a key of the file beside those of the config


def save_config(folder: Path, config: TrainConfig) -> None:
    """Write config.yaml of the run in `folder`: paths are absolute, and `typed` has them as they are in `config`, where
    that is another form. Raises OSError."""
    recorded = with_absolute_paths(config)
    settings = dataclasses.asdict(dataclasses.replace(recorded, run=str(folder)))
    as_typed = typed(*({name: value_of(one, name) for name in PATHS} for one in (config, recorded)))
    settings |= {TYPED: as_typed} if as_typed else {}
    write_text(folder / CONFIG, yaml.safe_dump(settings, sort_keys=False))


def load_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises UserError if there is none, or it is of another version."""
    settings = _settings(folder)
    try:
        return from_dict(TrainConfig, {name: value for name, value in settings.items() if name != TYPED})
    except (TypeError, AttributeError) as error:
        raise UserError(f"{folder}/{CONFIG} is not a config of cnnbench {__version__}: {error}") from error


def check_same(folder: Path, before: TrainConfig, now: TrainConfig) -> None:
    """Raise UserError if a key that must not change is another in `now` than in `before`, the run's own config. Paths
    are the same that name one file from here."""
    before, now = with_absolute_paths(before), with_absolute_paths(now)
    for name, item in entries(TrainConfig).items():
        old, new = value_of(before, name), value_of(now, name)
        if not dataclasses.is_dataclass(old) and item.metadata["note"] != MAY_CHANGE and old != new:
            raise UserError(
                f"{folder} is a run with {name}={old}, not {new}: to continue it repeat its command, "
                "for a new run give another run=NAME"
            )


def check_complete(folder: Path) -> None:
    """Raise UserError if the run's own file lacks a key that must not change: what it was then, nobody knows."""
    settings = _settings(folder)
    for name, item in entries(TrainConfig).items():
        holder = settings
        for part in name.split("."):
            if item.metadata["note"] != MAY_CHANGE and part not in holder:
                raise UserError(
                    f"{folder} was begun by a version of cnnbench without {name}: continue it by that version, or give "
                    "another run=NAME"
                )
            holder = holder.get(part) or {}


def _settings(folder: Path) -> dict[str, Any]:
    """config.yaml as plain values. Raises UserError if there is none, or it is damaged."""
    try:
        return yaml.safe_load((folder / CONFIG).read_text())
    except OSError as error:
        if inside := runs_in(folder):
            raise UserError(
                f"{folder} is a folder of runs: name one, as in run={run_name(folder / inside[0])}"
            ) from error
        raise UserError(f"there is no run in {folder}{nearest(folder.name, runs_in(folder.parent))}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{folder}/{CONFIG} is damaged: {reason(error)}") from error
