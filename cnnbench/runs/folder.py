"""Run folders: their names, what lies in them, and whether a command may continue one.

config.yaml       the resolved config
environment.json  every start: when, where, which versions and which git commit
metrics.jsonl     a line per epoch
status.json       how it stands: running, complete, preempted or failed, why, and at which step
result.json       once the run has ended
nonfinite.jsonl   a line per step whose loss or gradient was not finite, if there was one
lock.json         while it is being trained: by whom
checkpoints/      last.pt, previous.pt, best.pt, and those of keep_every
tensorboard/      the same figures as metrics.jsonl, and more often; pictures, and the final errors beside the config
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from cnnbench import __version__
from cnnbench.config.batch import check_continued, with_batch, with_batch_of
from cnnbench.config.schema import MAY_CHANGE, TrainConfig, entries, from_dict, value_of
from cnnbench.runs import lock
from cnnbench.runtime.errors import UserError, nearest, reason

RUNS = Path("runs")


def folder(run: str) -> Path:
    """The folder of a run: a bare name lies in runs/, anything with a slash is a path."""
    path = Path(run).expanduser()
    return path if len(path.parts) > 1 or run.startswith(".") else RUNS / path


def name(path: Path) -> str:
    """What to give as run= for the run in folder `path`."""
    if path.parent == RUNS:
        return path.name
    return str(path) if len(path.parts) > 1 else f"./{path}"


def new_folder(stem: str) -> Path:
    """A new, empty folder in runs/ named after `stem` and the time, claimed against other processes."""
    stamped = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        path = RUNS / (stamped + suffix)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot create the run folder {path}: {error.strerror}; give run=FOLDER") from error
        return path
    raise UserError(f"{RUNS} has a thousand runs named {stamped}: give run=NAME")


def has_begun(config: TrainConfig) -> bool:
    """Whether `config` names a run that is there already."""
    return config.run is not None and (folder(config.run) / "config.yaml").exists()


def prepare(config: TrainConfig, processes: int) -> Path:
    """The folder of the run that `config` describes, new or to be continued, with config.yaml, its batch chosen.

    Raises UserError if the folder holds something else, or a run whose config differs in a key that must not change, or
    if the run's batch does not split evenly over `processes`, which a run that has ended may.
    """
    begun = has_begun(config)
    config = config if begun else with_batch(config, processes)
    path = folder(config.run) if config.run is not None else new_folder(config.arch.name)
    lock.refuse_if_held(path)
    if begun:
        before = load_config(path)
        config = with_batch_of(before, config)
        _check_same(path, before, config)
        if load_result(path) is None:
            _check_keys(path)
            check_continued(config, processes, name(path))
    elif path.is_dir() and any(path.iterdir()) and not (path / "checkpoints").is_dir():
        raise UserError(f"{path} is not empty and not a run: give another run=NAME")
    try:
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        settings = dataclasses.asdict(dataclasses.replace(config, run=str(path)))
        write_text(path / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
        _record_start(path)
    except OSError as error:
        raise UserError(f"cannot write the run folder {path}: {error.strerror}") from error
    return path


def discard_unstarted(path: Path) -> None:
    """Remove the folder of a run that failed before it began to log: it holds its config, and nothing of value."""
    made_first = {"config.yaml", "environment.json", "checkpoints", "status.json"}
    unstarted = {entry.name for entry in path.iterdir()} <= made_first
    if unstarted and not any((path / "checkpoints").iterdir()):
        shutil.rmtree(path)


def load_config(path: Path) -> TrainConfig:
    """The config of the run in folder `path`."""
    try:
        settings = yaml.safe_load((path / "config.yaml").read_text())
    except OSError as error:
        if inside := _runs_in(path):
            raise UserError(f"{path} is a folder of runs: name one, as in run={name(path / inside[0])}") from error
        raise UserError(f"there is no run in {path}{nearest(path.name, _runs_in(path.parent))}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}/config.yaml is damaged: {reason(error)}") from error
    try:
        return from_dict(TrainConfig, settings)
    except (TypeError, AttributeError) as error:
        raise UserError(f"{path}/config.yaml is not a config of cnnbench {__version__}: {error}") from error


def _runs_in(path: Path) -> list[str]:
    """Names of the runs directly below the folder `path`, in their order; [] without any."""
    return sorted(file.parent.name for file in path.glob("*/config.yaml"))


def load_result(path: Path) -> dict[str, Any] | None:
    """The contents of result.json, or None while the run has not ended."""
    try:
        return json.loads((path / "result.json").read_text())
    except FileNotFoundError:
        return None


def write_text(path: Path, text: str) -> None:
    """Write a whole file or, if that fails, leave the one before."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_status(path: Path, state: str, why: str | None, epoch: int, step: int) -> None:
    """How the run in `path` stands: state running, complete, preempted or failed; `epoch` and `step` (of the whole
    run) of its last save, 0 before the first. A disk that cannot be written has been reported before."""
    content = {"state": state, "why": why, "epoch": epoch, "step": step}
    with suppress(OSError):
        write_json(path / "status.json", content | {"time": now(), "host": platform.node(), "pid": os.getpid()})


def load_status(path: Path) -> dict[str, Any] | None:
    """The contents of status.json, or None before the first start."""
    try:
        return json.loads((path / "status.json").read_text())
    except (OSError, ValueError):
        return None


def now() -> str:
    """The local time with its offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _check_same(path: Path, before: TrainConfig, now: TrainConfig) -> None:
    for name, item in entries(TrainConfig).items():
        old, new = value_of(before, name), value_of(now, name)
        if not dataclasses.is_dataclass(old) and item.metadata["note"] != MAY_CHANGE and old != new:
            raise UserError(
                f"{path} is a run with {name}={old}, not {new}: to continue it repeat its command, "
                "for a new run give another run=NAME"
            )


def _check_keys(path: Path) -> None:
    """Raise UserError if the run's own file lacks a key that must not change: what it was then, nobody knows."""
    settings = yaml.safe_load((path / "config.yaml").read_text())
    for name, item in entries(TrainConfig).items():
        holder = settings
        for part in name.split("."):
            if item.metadata["note"] != MAY_CHANGE and part not in holder:
                raise UserError(
                    f"{path} was begun by a version of cnnbench without {name}: continue it by that version, or give "
                    "another run=NAME"
                )
            holder = holder.get(part) or {}


def _record_start(path: Path) -> None:
    """Add this start to environment.json."""
    file = path / "environment.json"
    starts = json.loads(file.read_text()) if file.exists() else []
    starts.append(
        {
            "time": now(),
            "command": sys.argv,
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "versions": {
                "cnnbench": __version__,
                **{name: version(name) for name in ("torch", "torchvision", "hydra-core", "numpy", "pillow")},
            },
            "git": git_state(),
        }
    )
    write_json(file, starts)


def git_state() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that cnnbench runs from, or None if it does not run from one."""
    source = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=source, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
