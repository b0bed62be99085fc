"""config.yaml: the resolved config of a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from cnnbench import __version__
from cnnbench.config.fields import MAY_CHANGE, check_types, entries, from_dict, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.runs import checkpoint
from cnnbench.runs.absolute import PATHS, typed, with_absolute_paths
from cnnbench.runs.paths import CHECKPOINTS, CONFIG, run_name, runs_in
from cnnbench.runtime.errors import UserError, nearest, reason
from cnnbench.runtime.files import read_text, write_text

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where there is libyaml
TRIAL = ("max_steps", "max_eval_images", "one_batch")  # keys that make a run a trial
TYPED = "typed"  # a key of the file beside those of the config


def save_config(folder: Path, config: TrainConfig) -> None:
    """Write config.yaml of the run in `folder`: paths are absolute, and `typed` has them as they are in `config`, where
    that is another form. Raises OSError."""
    recorded = with_absolute_paths(config)
    settings = dataclasses.asdict(dataclasses.replace(recorded, run=str(folder)))
    as_typed = typed(*({name: value_of(one, name) for name in PATHS} for one in (config, recorded)))
    settings |= {TYPED: as_typed} if as_typed else {}
    text = yaml.safe_dump(settings, sort_keys=False)
    if read_text(folder / CONFIG) != text:
        write_text(folder / CONFIG, text)


def recover_config(folder: Path) -> bool:
    """Whether the run in `folder` has a config. A config.yaml that is missing, cut or damaged is made anew from the
    last checkpoint; without one there is nothing yet that it would be of. For the one process that may write.

    Raises UserError if no checkpoint is whole; OSError.
    """
    text = read_text(folder / CONFIG)
    if _is_whole(text):
        return True
    last = checkpoint.find_last(folder / CHECKPOINTS)
    if last is None:
        if text is not None:
            print(f"note: {folder / CONFIG} is damaged, and nothing was saved yet: the run begins anew", flush=True)
        return False
    kept = checkpoint.load(last)["config_text"]
    if _is_whole(kept):
        write_text(folder / CONFIG, kept)
        print(f"note: {folder / CONFIG} was missing or damaged, and is made anew from {last}", flush=True)
    return True


def has_config(folder: Path) -> bool:
    """Whether config.yaml of the run in `folder` is whole."""
    return _is_whole(read_text(folder / CONFIG))


def load_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises UserError if there is none, or it is of another version."""
    settings = _settings(folder)
    try:
        config = from_dict(TrainConfig, {name: value for name, value in settings.items() if name != TYPED})
        check_types(config)
        return config
    except (TypeError, AttributeError) as error:
        raise UserError(f"{folder}/{CONFIG} is not a config of cnnbench {__version__}: {error}") from error


def check_same(folder: Path, before: TrainConfig, now: TrainConfig) -> None:
    """Raise UserError if a key that must not change is another in `now` than in `before`, the run's own config. Paths
    are the same that name one file from here."""
    before, now = with_absolute_paths(before), with_absolute_paths(now)
    _check_same_trial(folder, before, now)
    for name, item in entries(TrainConfig).items():
        old, new = value_of(before, name), value_of(now, name)
        if not dataclasses.is_dataclass(old) and item.metadata["note"] != MAY_CHANGE and old != new:
            raise UserError(
                f"{folder} is a run with {name}={old}, not {new}: to continue it repeat its command, "
                "for a new run give another run=NAME"
            )


def _check_same_trial(folder: Path, before: TrainConfig, now: TrainConfig) -> None:
    """Raise UserError where one of the two is a trial, and the other is none or another one: the end of a trial is an
    evaluation, which plateaus, averages and the best checkpoint depend on, and which the whole run does not have."""
    for name in TRIAL:
        old, new = (str(value_of(config, name)).lower() for config in (before, now))
        if value_of(before, name) and old != new:
            raise UserError(
                f"{folder} is a trial ({name}={old}), with an end that the whole run does not have: give another "
                f"run=NAME for that, or {name}={old} again"
            )
        if old != new:
            raise UserError(
                f"{folder} is a run without {name}: leave {name}={new} out to continue it, or give another run=NAME "
                "for the trial"
            )


def check_complete(folder: Path) -> None:
    """Raise UserError if the run's own file lacks a key that must not change: what it was then, nobody knows."""
    if (name := _missing(_settings(folder))) is not None:
        raise UserError(
            f"{folder} was begun by a version of cnnbench without {name}: continue it by that version, or give "
            "another run=NAME"
        )


def _settings(folder: Path) -> dict[str, Any]:
    """config.yaml as plain values, or as the newest checkpoint has it where the file is damaged. UserError if there is
    none, or nothing can be read."""
    text = read_text(folder / CONFIG)
    if not _is_whole(text) and (content := checkpoint.newest(folder / CHECKPOINTS)) is not None:
        text = content["config_text"] if _is_whole(content["config_text"]) else text
    if text is None:
        if inside := runs_in(folder):
            raise UserError(f"{folder} is a folder of runs: name one, as in run={run_name(folder / inside[0])}")
        raise UserError(f"there is no run in {folder}{nearest(folder.name, runs_in(folder.parent))}")
    settings = _parsed(text)
    if not isinstance(settings, dict):
        why = f": {settings}" if settings else ""
        raise UserError(f"{folder}/{CONFIG} is damaged{why}; the command that began the run makes it anew")
    return settings


def _is_whole(text: str | None) -> bool:
    """Whether `text` is a config.yaml with its end and with every key that must not change."""
    settings = _parsed(text) if text is not None and text.endswith("\n") else None
    return isinstance(settings, dict) and _missing(settings) is None


def _missing(settings: dict[str, Any]) -> str | None:
    """The first key that must not change and that `settings` lack."""
    for name, item in entries(TrainConfig).items():
        holder: Any = settings
        for part in name.split("."):
            if item.metadata["note"] != MAY_CHANGE and (not isinstance(holder, dict) or part not in holder):
                return name
            holder = (holder.get(part) if isinstance(holder, dict) else None) or {}
    return None


def _parsed(text: str) -> Any:
    """What `text` says as YAML; why it says nothing, as text, if it is damaged."""
    try:
        return yaml.load(text, LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return reason(error)
