"""What a sweep ends with: a table of its points, and the report of its runs in its folder."""

from __future__ import annotations

import sys
from pathlib import Path

from cnnbench.analysis.report.command import write_report
from cnnbench.analysis.report.cost import clock, state_of
from cnnbench.analysis.report.results import main_result
from cnnbench.analysis.report.run import Run, find_runs
from cnnbench.analysis.report.settings import settings
from cnnbench.analysis.report.table import without_empty
from cnnbench.analysis.tables import Cell, Table, render
from cnnbench.config.analyse import ReportConfig
from cnnbench.runs.paths import runs_in
from cnnbench.runtime.errors import UserError

REPORT = "report"  # folder of the report, within the sweep's


def report_sweep(folder: Path) -> None:
    """Print a line for each run in `folder`, with what differs between them and what it reached, and write their report
    below it. What stands in the way is said, and ends nothing: the runs are there."""
    if not runs_in(folder):  # points of run=a,b lie elsewhere
        return
    try:
        runs, _ = find_runs([str(folder)])
        print(f"\n{render(points_table(runs))}", flush=True)
        write_report(ReportConfig(runs=[str(folder)], output=str(folder / REPORT), title=f"Sweep {folder.name}"))
        print(f"\nreport      {folder / REPORT / 'report.html'}")
    except UserError as error:
        print(f"note: no report of the sweep: {error}", file=sys.stderr)


def points_table(runs: list[Run]) -> Table:
    """The points in their order; the least error is marked."""
    differing = [part for part in settings(runs) if isinstance(part, Table)]
    keys = {str(row[0]): list(row[1:]) for table in differing for row in table.rows}
    results = [main_result(run) for run in runs]
    errors = [None if result is None else result.error(1).measured for result in results]
    least = min((error for error in errors if error is not None), default=None)
    columns = {"run": "", **dict.fromkeys(keys, ""), "top-1 error %": ".2f", "best": "", "top-5 error %": ".2f"}
    columns |= {"training": "", "state": ""}
    rows: list[list[Cell]] = []
    for number, (run, result, error) in enumerate(zip(runs, results, errors, strict=True)):
        seconds = run.result.get("training_seconds") if run.result is not None else None
        top5 = None if result is None else result.error(5).measured
        best = "*" if error is not None and error == least and len(runs) > 1 else ""
        values = [values[number] for values in keys.values()]
        rows.append([run.name, *values, error, best, top5, clock(seconds), None if run.result else state_of(run)])
    return without_empty(Table(f"{len(runs)} points", columns, rows))
