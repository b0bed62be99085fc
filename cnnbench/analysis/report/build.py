"""The report itself: from runs, measured speed and pictures to sections, and to the lines of results.csv."""

from __future__ import annotations

from typing import Any

from cnnbench.analysis.report.comparisons import comparison_tables
from cnnbench.analysis.report.content import Section
from cnnbench.analysis.report.cost import cost_table, data_table, machine_of, state_of
from cnnbench.analysis.report.headline import headline
from cnnbench.analysis.report.milestones import milestones
from cnnbench.analysis.report.picture import COMPARISONS, CURVES, FIRST, ReportPicture
from cnnbench.analysis.report.results import CountedResult, protocol_notes, recipe_of, results_of, run_error_table
from cnnbench.analysis.report.run import Run
from cnnbench.analysis.report.run_section import run_section
from cnnbench.analysis.report.settings import settings
from cnnbench.analysis.report.table import tidy
from cnnbench.analysis.tables import Cell, Table, as_csv
from cnnbench.archs.facts import facts
from cnnbench.config.image_size import input_size


def build_report(
    runs: list[Run], bench: list[dict[str, Any]], pictures: list[ReportPicture], title: str, unread: list[str]
) -> Section:
    """The whole report. `bench`: tables of `cnnbench bench output=`; `unread`: a sentence for each run left out."""
    results = [result for run in runs for result in results_of(run)]
    untested = [run.name for run in runs if not any(result.run is run for result in results)]
    lead = [
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}. Errors are percentages of the images tested; intervals "
        "are 95 % Wilson intervals. What was not recorded is said, and nothing is estimated.",
        *([f"Without any error counted so far: {', '.join(untested)}."] if untested else []),
        *(f"Left out: {sentence}." for sentence in unread),
    ]
    parts = [
        Section("In short", (*headline(runs), *_in(FIRST, pictures))),
        Section("Results", (*_errors(results), data_table(runs), cost_table(runs))),
        Section("Curves", (*_in(CURVES, pictures), *milestones(runs)) or ("No curves were drawn.",)),
        Section("Comparisons", (*_in(COMPARISONS, pictures), *comparison_tables(results), *_speed(bench))),
    ]
    if len(runs) > 1:
        parts.append(Section("Differences between the configs", settings(runs)))
    parts.append(Section("Runs", tuple(run_section(run, pictures) for run in runs)))
    return tidy(Section(title, (*lead, *parts)))


def results_csv(runs: list[Run]) -> str:
    """A line for each result, all figures in full; a run without any has one line too."""
    lines = [
        line for run in runs for line in ([_line(run, result) for result in results_of(run)] or [_line(run, None)])
    ]
    return as_csv(list(lines[0]), [list(line.values()) for line in lines]) + "\n"


def _errors(results: list[CountedResult]) -> tuple[Table, ...]:
    top1, top5 = (run_error_table(results, top) for top in (1, 5))
    notes = protocol_notes(results)
    if any(result.published is not None for result in results):
        notes.append(
            "difference: measured less published, in percentage points; standard errors: the same in standard errors "
            "of the difference of two counted errors, so that about 95 % of faithful runs lie within -2 and 2"
        )
    return top1, Table(top5.title, top5.columns, top5.rows, notes)


def _in(section: str, pictures: list[ReportPicture]) -> list[ReportPicture]:
    return [picture for picture in pictures if picture.section == section]


def _speed(bench: list[dict[str, Any]]) -> list[str | Table]:
    """The tables of `cnnbench bench`, as they were written."""
    if not bench:
        return [
            "Measured speed is not in this report: cnnbench bench output=FILE measures it, and bench=FILE brings it in."
        ]
    tables: list[str | Table] = []
    for content in bench:
        columns = list(content["rows"][0]) if content["rows"] else []
        formats = {name: _format([row.get(name) for row in content["rows"]]) for name in columns}
        rows = [[row.get(name) for name in columns] for row in content["rows"]]
        tables.append(Table(content["title"], formats, rows, content.get("notes", [])))
    return tables


def _format(values: list[Cell]) -> str:
    """Four figures of a column that has fractions; whole numbers as they are."""
    return ",.4g" if any(isinstance(value, float) for value in values) else ""


def _line(run: Run, result: CountedResult | None) -> dict[str, Cell]:
    config, network = run.config, facts(run.config.arch.name)
    ended: dict[str, Any] = {**run.result} if run.result is not None else {}
    about = {
        "run": run.name,
        "network": config.arch.name,
        "recipe": recipe_of(run),
        "protocol": result.protocol if result else None,
        "weights": result.weights if result else None,
        "images": result.n if result else None,
    }
    published = result.published if result else None
    return (
        about
        | _errors_of(result)
        | {
            "published_source": published.source if published else None,
            "published_split": published.split if published else None,
            "published_recipe": published.recipe if published else None,
            "compared_with": result.remark if result else "no error counted",
            "data": config.data.path,
            **{key: ended.get(key) for key in ("classes", "training_images")},
            "image_size": input_size(config),
            "epochs": config.epochs,
            "epochs_done": ended.get("epoch", len(run.metrics)),
            "parameters": ended.get("params"),
            "multiply_adds": network["macs"],
            "multiply_adds_at": network["input"]["size"],
            "images_per_second": ended.get("images_per_second"),
            **{f"{what}_seconds": ended.get(f"{what}_seconds") for what in _TIMES},
            "seed": config.seed,
            "machine": machine_of(run),
            "state": state_of(run),
        }
    )


_TIMES = ("training", "waiting", "evaluation", "saving")


def _errors_of(result: CountedResult | None) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for top in (1, 5):
        error = result.error(top) if result else None
        for name in ("measured", "low", "high", "published", "difference", "deviation"):
            found[f"top{top}_{name}"] = getattr(error, name) if error else None
    return found
