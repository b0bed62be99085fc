"""`cnnbench compare`: which of several networks is better on the same images, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnbench.analysis.compare.differ import class_table, differing, differing_data, draw_difference, image_table
from cnnbench.analysis.compare.groups import Group, aligned, group_table, make_groups
from cnnbench.analysis.compare.inputs import find_inputs
from cnnbench.analysis.compare.pairs import Comparison, compare_all, pair_table, seeds_note, verdict
from cnnbench.analysis.compare.published import published_table
from cnnbench.analysis.tables import Table, render
from cnnbench.config.compare import NOTHING_TO_COMPARE, CompareConfig
from cnnbench.data.contact_sheet import save_contact_sheet
from cnnbench.evaluation.statistics import TOP
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_json, writing


def compare_command(config: CompareConfig) -> None:
    """Print and write the comparison of what `config` names."""
    groups, notes = make_groups(config.runs, find_inputs(config), config.groups)
    groups, left_out = aligned(groups)
    against, said = published_table(groups, config.published)
    if len(groups) < 2 and against is None and len(groups[0].trainings) < 2:
        raise UserError(NOTHING_TO_COMPARE)
    pairs = {top: compare_all(groups, top, config) if len(groups) > 1 else [] for top in TOP}
    said = [*map(verdict, pairs[1]), *said]
    notes += [one.remark for group in groups for one in group.trainings if one.remark is not None]
    table = group_table(groups)
    table = Table(table.title, table.columns, table.rows, [*table.notes, *notes, *left_out, *_protocols(groups)])
    tables = [table, *_pair_tables(pairs, config), *([against] if against is not None else [])]
    two = _first_two(groups)
    if two is not None and config.classes:
        tables += [class_table(*two, config.classes), image_table(differing(*two), config.classes)]
    tables.insert(0, Table("", {"verdict": ""}, [[sentence] for sentence in said]))
    print(render([each for each in tables if each.rows], config.format))
    if config.output is not None:
        with writing(config.output):
            write_json(Path(config.output).expanduser(), _content(groups, pairs, said))
    if config.sheet is not None:
        if two is None:
            raise UserError("sheet= needs answers for single images of two groups: these are counts alone")
        save_contact_sheet(draw_difference(differing(*two), differing_data(groups, config.data)), config.sheet)
        print(f"\nsheet       {config.sheet}")


def _pair_tables(pairs: dict[int, list[Comparison]], config: CompareConfig) -> list[Table]:
    """A table for each top; below the first how many seeds would show the differences."""
    found = []
    for top, ones in pairs.items():
        if ones:
            table = pair_table(ones)
            seeds = [seeds_note(one, config.difference) for one in ones] if top == 1 else []
            notes = [*table.notes, *(note for note in seeds if note is not None)]
            found.append(Table(table.title, table.columns, table.rows, notes))
    return found


def _first_two(groups: Sequence[Group]) -> tuple[Group, Group] | None:
    """The first two groups with answers for single images."""
    found = [group for group in groups if group.answers is not None]
    return (found[0], found[1]) if len(found) > 1 else None


def _protocols(groups: Sequence[Group]) -> list[str]:
    """A sentence if the groups were not tested in one way."""
    found = {
        group.name: one.counts.protocol_in_words or one.counts.protocol
        for group in groups
        for one in group.trainings
        if one.counts is not None
    }
    if len(set(found.values())) < 2:
        return []
    return ["they were tested otherwise: " + "; ".join(f"{name}: {words}" for name, words in found.items())]


def _content(groups: Sequence[Group], pairs: dict[int, list[Comparison]], said: Sequence[str]) -> dict[str, Any]:
    """The figures as plain values."""
    names = ("top", "n", "difference", "low", "high", "p", "adjusted", "method", "only_first", "only_second", "unseen")
    return {
        "verdicts": list(said),
        "groups": [
            {
                "name": group.name,
                "trainings": [one.name for one in group.trainings],
                **{f"top{top}_errors": group.errors(top) for top in TOP},
            }
            for group in groups
        ],
        "comparisons": [
            {"first": one.first.name, "second": one.second.name}
            | {name: getattr(one, name) for name in names}
            | {"others": [{"over": what, "low": low, "high": high} for what, low, high in one.others]}
            for ones in pairs.values()
            for one in ones
        ],
    }
