"""Trainings in groups, one for each network and recipe that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from statistics import mean, stdev

import numpy as np

from cnnbench.analysis.papers.measured import MeasuredErrors
from cnnbench.analysis.tables import Cell, Table
from cnnbench.config.train import TrainConfig
from cnnbench.evaluation.answers import Answers, same_images
from cnnbench.evaluation.seed_groups import by_seed
from cnnbench.evaluation.seeds import mean_interval
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Compared:
    """One training: `answers` for single images, None where there are `counts` alone; of a run its `config` too, and
    what has to be known of it (`remark`)."""

    name: str
    answers: Answers | None
    counts: MeasuredErrors | None
    config: TrainConfig | None = None
    remark: str | None = None


@dataclass(frozen=True)
class Group:
    """Trainings of one recipe; where all of them have answers for single images, those are for the same images, in one
    order."""

    name: str
    trainings: Sequence[Compared]

    @cached_property
    def answers(self) -> list[Answers] | None:
        """Of each training; None where one has counts alone."""
        found = [one.answers for one in self.trainings if one.answers is not None]
        return found if len(found) == len(self.trainings) else None

    def wrong(self, top: int) -> np.ndarray | None:
        """bool (trainings, n): which images are wrong at the first `top` answers."""
        return None if self.answers is None else np.stack([one.wrong(top) for one in self.answers])

    def counts(self, top: int) -> list[tuple[int, int]]:
        """Of each training how many images are wrong, and of how many."""
        if (wrong := self.wrong(top)) is not None:
            return [(int(row.sum()), len(row)) for row in wrong]
        found = [one.counts for one in self.trainings if one.counts is not None]
        return [(one.wrong1 if top == 1 else one.wrong5, one.n) for one in found]

    def errors(self, top: int) -> list[float]:
        """Of each training, percent."""
        return [100 * wrong / n for wrong, n in self.counts(top)]


def make_groups(words: Sequence[str], found: Sequence[Sequence[Compared]], by: str) -> tuple[list[Group], list[str]]:
    """The groups: what one word stands for, and with by="seed" runs that differ in their seed alone, unless their word
    names several; and what was done about it, a sentence each."""
    groups: list[Group] = []
    single = [ones[0] for ones in found if len(ones) == 1]
    for word, ones in zip(words, found, strict=True):
        if len(ones) > 1:
            parts = by_seed([one.config for one in ones]) if by == "seed" and "+" not in word else [range(len(ones))]
            groups += [Group(_name([ones[i] for i in part], word), [ones[i] for i in part]) for part in parts]
    parts = by_seed([one.config for one in single]) if by == "seed" else [[i] for i in range(len(single))]
    groups += [Group(_name(members, ""), members) for members in ([single[i] for i in part] for part in parts)]
    first = {one.name: place for place, one in enumerate(one for ones in found for one in ones)}
    groups.sort(key=lambda group: first[group.trainings[0].name])
    names = [group.name for group in groups]
    if len(set(names)) < len(names):
        groups = [replace(group, name=_by_first(group)) for group in groups]
    several = [group for group in groups if len(group.trainings) > 1]
    return groups, [f"{group.name} is {', '.join(one.name for one in group.trainings)}" for group in several]


def aligned(groups: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """The groups on the images that all have, and what that leaves out. Counts alone stay as they are."""
    ones = [one for group in groups for one in group.trainings if one.answers is not None]
    if len(ones) < 2:
        return list(groups), []
    answers, notes = same_images([one.answers for one in ones if one.answers is not None], [one.name for one in ones])
    rest = iter(answers)
    matched = [
        replace(
            group,
            trainings=[one if one.answers is None else replace(one, answers=next(rest)) for one in group.trainings],
        )
        for group in groups
    ]
    for group in matched:
        if len(group.trainings) > 1 and group.answers is None and any(one.answers for one in group.trainings):
            raise UserError(f"{group.name}: some of its trainings have answers for single images, others counts alone")
    return matched, notes


def group_table(groups: Sequence[Group]) -> Table:
    """A row for each group: the mean error of its trainings, and how far that is known."""
    columns = {
        **{"": "", "seeds": "", "images": "", "top-1 error %": ".2f", "from": ".2f", "to": ".2f"},
        **{"deviation": ".2f", "best": ".2f", "worst": ".2f", "top-5 error %": ".2f"},
    }
    rows: list[list[Cell]] = []
    for group in groups:
        errors, fifth = group.errors(1), group.errors(5)
        (wrong, n), several = group.counts(1)[0], len(errors) > 1
        low, high = mean_interval(errors) if several else wilson_interval(wrong, n)
        spread: list[Cell] = [stdev(errors), min(errors), max(errors)] if several else [None] * 3
        rows.append([group.name, len(errors), n, mean(errors), low, high, *spread, mean(fifth)])
    kept = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    names = list(columns)
    notes = ["from, to: 95 % interval, of one training by its images (Wilson), of several by their seeds (Student's t)"]
    shown = {names[i] or "network": columns[names[i]] for i in kept}
    return Table("Errors", shown, [[row[i] for i in kept] for row in rows], notes)


def _by_first(group: Group) -> str:
    """What a group is called where others begin with the same letters."""
    first, count = group.trainings[0].name, len(group.trainings)
    return first if count == 1 else f"{first} ({count})"


def _name(members: Sequence[Compared], word: str) -> str:
    """What a group is called: by the word for all of it, or what its members' names begin with."""
    if len(members) == 1:
        return members[0].name
    if word and "+" not in word:
        return word
    letters = zip(*(one.name for one in members), strict=False)
    common = "".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, letters)).rstrip("-_./ ")
    return f"{common or members[0].name} ({len(members)})"
