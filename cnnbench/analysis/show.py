"""The commands that print tables: zoo, describe, lecture."""

from __future__ import annotations

import inspect

from cnnbench.analysis.tables import Table, render
from cnnbench.analysis.zoo import render_zoo, zoo_table
from cnnbench.config.analyse import DescribeConfig, LectureConfig, ZooConfig
from cnnbench.runtime.errors import UserError, nearest


def show_zoo(config: ZooConfig) -> None:
    """Print the table of networks. Does not import torch."""
    try:
        rows = zoo_table(config.family, config.name, config.sort)
    except ValueError as error:
        raise UserError(str(error)) from error
    if not rows:
        raise UserError(f"no network matches family={config.family} name={config.name}; `cnnbench zoo` lists all")
    print(render_zoo(rows, config.format))


def show_description(config: DescribeConfig) -> None:
    """Print a network's layers and totals, with the published totals beside them where they are for this form."""
    from cnnbench.analysis.describe import describe, render_description
    from cnnbench.archs.facts import facts
    from cnnbench.archs.from_config import build_on_meta

    arch, known = config.arch, facts(config.arch.name)
    size = config.image_size if config.image_size is not None else arch.image_size
    classes = config.num_classes if config.num_classes is not None else known["num_classes"] or 1000
    try:
        description = describe(build_on_meta(arch, classes, size), size, arch.in_channels)
    except ValueError as error:
        raise UserError(str(error)) from error
    title = f"{arch.name}, input {arch.in_channels}x{size}x{size}, {classes} classes"
    print(render_description(description, config.format, title, known))


def show_lecture(config: LectureConfig) -> None:
    """Print one claim of the lecture, or the list of claims."""
    from cnnbench.analysis.lecture.claims import LECTURE

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
