"""`cnnbench lecture`: one claim of the lecture, or the list of them."""

from __future__ import annotations

import inspect

from cnnbench.analysis.lecture.claims import LECTURE
from cnnbench.analysis.tables import Table, render
from cnnbench.config.analyse import LectureConfig
from cnnbench.runtime.errors import UserError, nearest


def show_lecture(config: LectureConfig) -> None:
    """Print one claim of the lecture, or the list of claims."""
    if config.name is None:
        rows = [(name, title) for name, (title, _) in LECTURE.items()]
        notes = ["cnnbench lecture NAME shows one; --help lists their options"]
        print(render(Table("The lecture's tables and claims", {"name": "", "what it shows": ""}, rows, notes)))
        return
    if config.name not in LECTURE:
        raise UserError(
            f"the lecture has no '{config.name}'{nearest(config.name, LECTURE)}; `cnnbench lecture` lists all"
        )
    _, compute = LECTURE[config.name]
    taken = inspect.signature(compute).parameters
    given = {k: v for k, v in vars(config).items() if k not in ("name", "format") and v is not None}
    for option in given:
        if option not in taken:
            raise UserError(f"lecture {config.name} has no {option}=; it takes {', '.join(taken) or 'no options'}")
    try:
        print(render(compute(**given), config.format))
    except (ValueError, OSError) as error:
        raise UserError(f"lecture {config.name}: {error}") from error
