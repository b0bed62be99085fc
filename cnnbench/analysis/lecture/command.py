"""`cnnbench lecture`: one claim of the lecture, the list of them, or all of them as one page."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnbench.analysis.lecture.claims import LECTURE, Claim, claim_of, function
from cnnbench.analysis.tables import Table, render
from cnnbench.config.analyse import LectureConfig
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.files import writing

OF_ALL = ("name", "format", "plot", "all", "output")  # keys that belong to no single claim


def show_lecture(config: LectureConfig) -> None:
    """Print one claim of the lecture, or the list of claims, or write the page of all."""
    given = {k: v for k, v in vars(config).items() if k not in OF_ALL and v is not None}
    _check(config, given)
    if config.all:
        from cnnbench.analysis.lecture.page import write_lecture

        print(write_lecture(Path(config.output).expanduser()))
    elif config.name is None:
        print(render(_list(), config.format))
    else:
        claim = claim_of(config.name)
        if config.plot is not None and claim.picture is None:
            drawn = ", ".join(name for name, each in LECTURE.items() if each.picture)
            raise UserError(f"lecture {config.name} has no picture; those with one: {drawn}")
        tables = _computed(config.name, claim, given)
        if config.plot is not None:
            _plot(config.name, claim, given, Path(config.plot).expanduser())
        print(render(tables, config.format))


def _list() -> Table:
    rows, before = [], ""
    for name, claim in LECTURE.items():
        rows.append((claim.part if claim.part != before else None, name, claim.title, "yes" if claim.picture else None))
        before = claim.part
    notes = [
        "cnnbench lecture NAME shows one; plot=FILE.png draws its picture; --help lists their options",
        "cnnbench lecture all=true output=FOLDER writes all of them as one page",
    ]
    columns = {"slides": "", "name": "", "what it shows": "", "picture": ""}
    return Table("The lecture's tables and claims", columns, rows, notes)


def _check(config: LectureConfig, given: Mapping[str, Any]) -> None:
    """Raise UserError for keys that do not go together."""
    if config.all and (config.name is not None or config.plot is not None or given):
        alone = config.name or next(iter(given), "plot=")
        raise UserError(f"all=true shows every claim as it is: leave out {alone}, or all=true")
    lone = [*given, *(["plot"] if config.plot is not None else [])]
    if lone and config.name is None and not config.all:
        raise UserError(f"{lone[0]}= belongs to a claim: name it, as in `cnnbench lecture {_example(lone[0])}`")


def _example(option: str) -> str:
    return "densenet_resnet plot=densenet.png" if option == "plot" else f"NAME {option}=..."


def _computed(name: str, claim: Claim, given: Mapping[str, Any]) -> list[Table]:
    compute = function(claim.show)
    taken = inspect.signature(compute).parameters
    for option in given:
        if option not in taken:
            raise UserError(f"lecture {name} has no {option}=; it takes {', '.join(taken) or 'no options'}")
    try:
        return compute(**given)
    except (ValueError, OSError) as error:
        raise UserError(f"lecture {name}: {reason(error)}") from error


def _plot(name: str, claim: Claim, given: Mapping[str, Any], file: Path) -> None:
    """Write the picture of a claim. Raises UserError where it cannot be drawn now, or the file cannot be written."""
    from cnnbench.analysis.report import style

    draw = function(str(claim.picture))
    with style.styled(), writing(file):
        figure, said = draw(**{key: value for key, value in given.items() if key in inspect.signature(draw).parameters})
        if figure is None:
            raise UserError(f"lecture {name} has no picture: {said}")
        figure.savefig(file, dpi=style.DPI)
