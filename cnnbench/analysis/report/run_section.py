"""All that a report says of one run."""

from __future__ import annotations

import shlex
from typing import Any

from cnnbench.analysis.report.content import Code, Section
from cnnbench.analysis.report.cost import machine_of, state_of, time_table
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Cell, Table
from cnnbench.data.layouts.ilsvrc import readable

WORST = 10  # classes, and pairs of classes, that are listed
START = "cnnbench"  # what the first word of a command is shown as, wherever the program lay


def run_section(run: Run, pictures: list[ReportPicture]) -> Section:
    """`run` by itself: how it stands, what made it, where its time went, its pictures, and where it is wrong."""
    return Section(
        run.name,
        (
            f"{run.config.arch.name}, recipe {run.config.recipe}: {state_of(run)}.",
            *_origin(run),
            time_table(run),
            *(picture for picture in pictures if picture.section == run.name),
            *_mistakes(run),
        ),
    )


def worst_classes(run: Run) -> Table:
    """The classes with the highest top-1 error."""
    columns = {"class": "", "images": "", "top-1 error %": ".1f", "95 % interval": "", "top-5 error %": ".1f"}
    rows = [_class(line) for line in run.per_class[:WORST]]
    return Table(f"The {len(rows)} classes with the highest error", columns, rows)


def confused_pairs(run: Run) -> Table:
    """Which class is taken for which other most often."""
    images = [sum(row) for row in run.confusion]
    found = [
        (readable(run.classes[true]), readable(run.classes[predicted]), count, 100 * count / images[true])
        for true, row in enumerate(run.confusion)
        for predicted, count in enumerate(row)
        if predicted != true and count
    ]
    found.sort(key=lambda pair: (-pair[2], pair[0], pair[1]))
    columns = {"class": "", "taken for": "", "images": "", "% of the class": ".1f"}
    return Table("The most confused pairs of classes", columns, found[:WORST])


def _origin(run: Run) -> list[str | Code]:
    """The command, versions, commit and machines of its starts."""
    if not run.starts:
        return ["Command, versions and machine are not recorded: the run has no environment.json."]
    last = run.starts[-1]
    versions = ", ".join(f"{name} {version}" for name, version in last.get("versions", {}).items())
    parts: list[str | Code] = ["Command:", Code(_command(last.get("command") or [])), _starts(run)]
    parts.append(f"Python {last.get('python')}, {versions}; {_commit(last.get('git'))}; on {machine_of(run)}.")
    return parts


def _command(words: list[str]) -> str:
    return shlex.join([START, *words[1:]]) if words else "not recorded"


def _starts(run: Run) -> str:
    first, last = run.starts[0].get("time"), run.starts[-1].get("time")
    if len(run.starts) == 1:
        return f"Started once, at {first}."
    return f"Started {len(run.starts)} times (interrupted and continued), first at {first}, last at {last}."


def _commit(git: dict[str, Any] | None) -> str:
    if git is None:
        return "not run from a git checkout"
    changed = ", with changes that were not committed" if git.get("modified") else ""
    return f"git commit {git.get('commit')}{changed}"


def _mistakes(run: Run) -> list[str | Code | Table]:
    if not run.per_class:
        return [
            "Errors per class and confused classes are not known; this command counts them:",
            Code(run.details_command),
        ]
    return [worst_classes(run), confused_pairs(run)]


def _class(line: dict[str, str]) -> tuple[Cell, ...]:
    interval = f"{float(line['top1_low']):.1f} to {float(line['top1_high']):.1f}"
    return readable(line["class"]), int(line["n"]), float(line["top1_error"]), interval, float(line["top5_error"])
