"""`cnnbench runs`: the runs of a folder, how each stands, what it has reached and how long it will still take."""

from __future__ import annotations

from pathlib import Path

from cnnbench.analysis.tables import Cell, Table, render
from cnnbench.config.analyse import RunsConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runs.config import load_config
from cnnbench.runs.history import epochs_of
from cnnbench.runs.paths import RUNS, folders_of_runs, run_folder, run_name, runs_in
from cnnbench.runs.results import EpochMetrics
from cnnbench.runs.status import RUNNING, current_status
from cnnbench.runtime.errors import UserError, nearest

COLUMNS = {
    "run": "",
    "state": "",
    "network": "",
    "recipe": "",
    "epoch": "",
    "top-1 error (%)": ".2f",
    "lowest (%)": ".2f",
    "last save": "",
    "time left": "",
}
MINUTE, HOUR = 60, 3600


def list_runs(settings: RunsConfig) -> None:
    """Print a row for each run, those that are running first, then the latest. UserError if there is none."""
    named = [run_folder(name) for name in settings.runs] or [RUNS]
    folders = dict.fromkeys(folder for each in named for folder in folders_of_runs(each))
    for folder in folders:
        if not folder.is_dir():
            near = nearest(folder.name, runs_in(folder.parent))
            raise UserError(f"there is no run in {folder}{near}: `cnnbench train` makes runs in {RUNS}/")
    rows = sorted((_row(folder) for folder in folders), key=lambda row: str(row[COLUMN_OF_TIME] or ""), reverse=True)
    rows.sort(key=lambda row: row[1] != RUNNING)
    notes = ["errors: on the validation images, after the last epoch and the lowest; time left: at the speed so far"]
    print(render(Table(f"runs: {len(rows)}", COLUMNS, rows, notes), settings.format))


COLUMN_OF_TIME = list(COLUMNS).index("last save")


def _row(folder: Path) -> list[Cell]:
    status = current_status(folder) or {}
    try:
        config = load_config(folder)
    except UserError:  # begun by another version: what its files say of it still counts
        config = None
    metrics = epochs_of(folder)
    errors = [line["top1_error"] for line in metrics if "top1_error" in line]
    done = metrics[-1]["epoch"] if metrics else 0
    return [
        run_name(folder),
        status.get("state", "not begun"),
        None if config is None else config.arch.name,
        None if config is None else config.recipe,
        f"{done}" if config is None else f"{done}/{config.epochs}",
        errors[-1] if errors else None,
        min(errors) if errors else None,
        str(status.get("time", ""))[:16].replace("T", " ") or None,
        None if config is None else _left(config, metrics, status.get("state")),
    ]


def _left(config: TrainConfig, metrics: list[EpochMetrics], state: str | None) -> str | None:
    """How long the epochs that are left take, at the mean of those that are done; None where nobody can tell."""
    seconds = metrics[-1].get("elapsed_seconds") if metrics else None
    if seconds is None or state == "complete":
        return None
    left = (config.epochs - metrics[-1]["epoch"]) * seconds / metrics[-1]["epoch"]
    return f"{left / HOUR:.1f} h" if left >= 2 * HOUR else f"{left / MINUTE:.0f} min"
