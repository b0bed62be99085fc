"""Where runs lie, and what they are called."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError

RUNS = Path("runs")
CONFIG, CHECKPOINTS = "config.yaml", "checkpoints"


def run_folder(run: str) -> Path:
    """The folder of a run: a bare name lies in runs/, anything with a slash is a path."""
    path = Path(run).expanduser()
    return path if len(path.parts) > 1 or run.startswith(".") else RUNS / path


def run_name(folder: Path) -> str:
    """What to give as run= for the run in `folder`."""
    if folder.parent == RUNS:
        return folder.name
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"


def new_run_folder(stem: str) -> Path:
    """A new, empty folder in runs/ named after `stem` and the time, claimed against other processes."""
    stamped = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        folder = RUNS / (stamped + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot create the run folder {folder}: {error.strerror}; give run=FOLDER") from error
        return folder
    raise UserError(f"{RUNS} has a thousand runs named {stamped}: give run=NAME")


def has_begun(config: TrainConfig) -> bool:
    """Whether `config` names a run that is there already."""
    signs = (CONFIG, f"{CHECKPOINTS}/last.pt", f"{CHECKPOINTS}/previous.pt")
    return config.run is not None and any(os.path.exists(run_folder(config.run) / sign) for sign in signs)


def runs_in(folder: Path) -> list[str]:
    """Names of the runs directly below `folder`, in their order; [] without any."""
    return sorted(file.parent.name for file in folder.glob(f"*/{CONFIG}"))


def folders_of_runs(folder: Path) -> list[Path]:
    """`folder` itself if it holds a run, or is not there, or else those in it that do. Raises UserError without any."""
    if not folder.is_dir() or (folder / CONFIG).exists():
        return [folder]
    if below := [path for path in folders_within(folder) if (path / CONFIG).exists()]:
        return below
    raise UserError(f"{folder} is not a run: it has no {CONFIG}, and no runs in it")


def folders_within(folder: Path) -> list[Path]:
    """The folders in `folder`, by their names, with numbers in order."""
    found = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(found, key=lambda path: [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", path.name)])
