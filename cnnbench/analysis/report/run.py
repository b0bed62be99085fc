"""A run as a report sees it: what its folder holds, read once; what is missing is None or empty."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnbench.config.train import TrainConfig
from cnnbench.runs.config import load_config
from cnnbench.runs.environment import load_starts
from cnnbench.runs.history import epochs_of
from cnnbench.runs.paths import RUNS, folders_of_runs, folders_within, run_folder, run_name
from cnnbench.runs.results import EpochMetrics, EvaluationResult, RunResult, load_evaluations, load_result
from cnnbench.runs.status import current_status
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign
from cnnbench.runtime.shell import typed

DETAILS = "details"  # folder in a run's folder, as `cnnbench eval run=NAME details=FOLDER` fills it


@dataclass(frozen=True)
class Run:
    """A run folder's contents.

    `metrics`, `result` (of a run that has ended) and `evaluations` are as runs/results.py has them; the last are what
    `cnnbench eval run=NAME` wrote, one for each protocol. `per_class`: the lines of per_class.csv, the worst class
    first; `confusion`: counts, a row for each true class, with `classes` as names of rows and columns.
    """

    name: str
    folder: Path
    config: TrainConfig
    metrics: list[EpochMetrics]
    result: RunResult | None
    status: dict[str, Any] | None
    starts: list[dict[str, Any]]
    evaluations: list[EvaluationResult]
    per_class: list[dict[str, str]]
    classes: list[str]
    confusion: list[list[int]]

    @property
    def details_command(self) -> str:
        """What fills the folder of details, as one types it."""
        return f"cnnbench eval {typed('run', self.name)} {typed('details', self.folder / DETAILS)}"


def find_runs(names: list[str]) -> tuple[list[Run], list[str]]:
    """The runs called `names`, each once, or if there are none all in runs/; a folder of runs, such as a sweep's,
    stands for those. Also a sentence for each run in runs/ that cannot be read.

    Raises UserError for a name that is not a run, a run that cannot be read, or if there are no runs at all.
    """
    if names:
        folders = {folder.resolve(): folder for name in names for folder in folders_of_runs(run_folder(name))}
        return [read_folder(folder) for folder in folders.values()], []
    found, unread = [], []
    for folder in folders_within(RUNS):
        try:
            found += [read_folder(below) for below in folders_of_runs(folder)]
        except UserError as error:
            unread.append(str(error))
    if not found:
        raise UserError(f"there are no runs in {RUNS}/: train one, or name the folders of runs")
    return found, unread


def read_run(run: str) -> Run:
    """The run in a folder, or named so in runs/. Raises UserError if there is none or its config is damaged."""
    return read_folder(run_folder(run))


def read_folder(folder: Path) -> Run:
    """The run in `folder`. Raises UserError if there is none or its config is damaged."""
    with foreign(folder):
        return _read_folder(folder)


def _read_folder(folder: Path) -> Run:
    config = load_config(folder)
    table, worst = _rows(folder / DETAILS / "confusion.csv"), _rows(folder / DETAILS / "per_class.csv")
    return Run(
        name=run_name(folder),
        folder=folder,
        config=config,
        metrics=epochs_of(folder),
        result=load_result(folder),
        status=current_status(folder),
        starts=load_starts(folder),
        evaluations=[content for content in load_evaluations(folder).values() if content is not None],
        per_class=[dict(zip(worst[0], row, strict=True)) for row in worst[1:]],
        classes=table[0][1:] if table else [],
        confusion=[[int(count) for count in row[1:]] for row in table[1:]],
    )


def _rows(file: Path) -> list[list[str]]:
    """The rows of a CSV file, its header first; none if there is no such file."""
    if not file.exists():
        return []
    with open(file, newline="") as lines, foreign(file):
        return list(csv.reader(lines))
