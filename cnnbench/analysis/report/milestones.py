"""How soon each run reached an error: the first epoch after which it was at it or below. Imports no matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Cell, Table
from cnnbench.evaluation.seed_groups import by_seed

LEVELS = (50, 30, 25, 20, 10)  # percent
KEYS = {"training": "train_top1_error", "validation": "top1_error"}


def epochs_until(run: Run, key: str, level: float) -> int | None:
    """The first epoch whose `key`, an error in percent, is at most `level`; None if there is none."""
    return next((epoch for epoch, error in _errors(run, key) if error <= level), None)


def milestones(runs: Sequence[Run]) -> list[Table]:
    """A table of the levels that some of `runs` have reached; none where no run has two epochs with errors."""
    runs = [run for run in runs if any(len(_errors(run, key)) > 1 for key in KEYS.values())]
    wanted = [(what, level) for what in KEYS for level in LEVELS]
    found = {(what, level): [epochs_until(run, KEYS[what], level) for run in runs] for what, level in wanted}
    reached = {place: epochs for place, epochs in found.items() if any(epoch is not None for epoch in epochs)}
    if not reached:
        return []
    rows: list[tuple[Cell, ...]] = [
        (run.name, *(epochs[number] for epochs in reached.values())) for number, run in enumerate(runs)
    ]
    for group in by_seed([run.config for run in runs]):
        if len(group) > 1:
            name = f"mean of {len(group)}: {', '.join(runs[number].name for number in group)}"
            rows.append((name, *(_mean([epochs[number] for number in group]) for epochs in reached.values())))
    columns = {"run": "", **{f"{what} {level} %": ",.4g" for what, level in reached}}
    notes = [
        "top-1 error; an empty place: not reached, of a mean by one of them. Validation is counted where the run was "
        "evaluated"
    ]
    return [Table("Epochs until an error was reached", columns, rows, notes)]


def _mean(epochs: Sequence[int | None]) -> float | None:
    """The mean of all, None where one has none."""
    known = [epoch for epoch in epochs if epoch is not None]
    return mean(known) if len(known) == len(epochs) else None


def _errors(run: Run, key: str) -> list[tuple[int, float]]:
    """Epoch and error of every epoch that has one."""
    found = ((line["epoch"], line.get(key)) for line in run.metrics)
    return [(epoch, error) for epoch, error in found if isinstance(error, int | float)]
