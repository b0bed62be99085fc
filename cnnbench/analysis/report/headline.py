"""What a report opens with: which network is best, in what order they stand, and what of that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from cnnbench.analysis.compare.groups import Compared, Group, make_groups
from cnnbench.analysis.compare.pairs import Comparison, compare_pair, corrected, verdict
from cnnbench.analysis.papers.measured import MeasuredErrors
from cnnbench.analysis.report.cost import clock
from cnnbench.analysis.report.results import CountedResult, main_result
from cnnbench.analysis.report.run import Run
from cnnbench.analysis.report.table import without_empty
from cnnbench.analysis.tables import Cell, Table
from cnnbench.config.compare import CompareConfig
from cnnbench.evaluation.answers import read_answers, same_images
from cnnbench.evaluation.seeds import mean_interval
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.errors import UserError

MOST = 6  # comparisons that are told in words


@dataclass(frozen=True)
class Ranked:
    """Trainings of one recipe with what they reached; the best group first in `rank_groups`."""

    group: Group
    runs: Sequence[Run]
    results: Sequence[CountedResult]

    @property
    def error(self) -> float:
        """Mean top-1 error, percent."""
        return mean(result.error(1).measured for result in self.results)


def headline(runs: Sequence[Run]) -> list[str | Table]:
    """The best, the ranking, and which differences to the best are more than chance; [] without an error that was
    counted."""
    ranked, others = rank_groups(runs)
    if not ranked:
        return []
    first = ranked[0].results[0]
    images = f"{first.n:,} images of {first.run.config.data.path}, {first.protocol}"
    best = ranked[0]
    several = f", mean of {len(best.runs)} seeds" if len(best.runs) > 1 else ""
    found = _against_the_best(ranked)
    lead = "Reached" if not found else "Best" if found[0].shown else "Lowest, by no more than chance may explain"
    said: list[str | Table] = [f"{lead}: {best.group.name} with {best.error:.2f} % top-1 error{several} ({images})."]
    said += [verdict(one) for one in found[:MOST]]
    if others:
        said.append(f"Counted on other images or by another protocol, and not ranked: {', '.join(others)}.")
    if len(ranked) > 1 or len(best.runs) > 1:
        said.append(_ranking(ranked, found))
    return said


def rank_groups(runs: Sequence[Run]) -> tuple[list[Ranked], list[str]]:
    """Groups by their mean error, of those runs whose main result is of the test that most have; names of the
    others."""
    found = [(run, result) for run in runs if (result := main_result(run)) is not None]
    tests = [(result.protocol, result.n, run.config.data.path) for run, result in found]
    if not tests:
        return [], []
    test = max(tests, key=tests.count)  # the first of those that are as frequent
    same = [pair for pair, one in zip(found, tests, strict=True) if one == test]
    others = [run.name for (run, _), one in zip(found, tests, strict=True) if one != test]
    compared = [_compared(run, result) for run, result in same]
    groups, _ = make_groups([one.name for one in compared], [[one] for one in _on_same_images(compared)], "seed")
    place = {one.name: pair for one, pair in zip(compared, same, strict=True)}
    ranked = []
    for group in groups:
        pairs = [place[one.name] for one in group.trainings]
        ranked.append(Ranked(group, [run for run, _ in pairs], [result for _, result in pairs]))
    return sorted(ranked, key=lambda one: one.error), others


def _compared(run: Run, result: CountedResult) -> Compared:
    """A run with the answers for single images that `cnnbench eval` keeps, if they are of the same counts."""
    counts = MeasuredErrors(result.protocol, result.words, "raw", result.wrong1, result.wrong5, result.n)
    file = run.folder / f"eval-{result.protocol}.csv"
    answers = None
    if file.exists():
        try:
            answers = read_answers(file)
        except UserError:
            answers = None
        if answers is not None and int(answers.wrong(1).sum()) != result.wrong1:
            answers = None  # of other weights
    return Compared(run.name, answers, counts, run.config)


def _on_same_images(compared: Sequence[Compared]) -> list[Compared]:
    """All with answers for the same images in one order, or all with counts alone."""
    answers = [one.answers for one in compared if one.answers is not None]
    alone = [Compared(one.name, None, one.counts, one.config) for one in compared]
    if len(answers) < len(compared):
        return alone
    try:
        matched, left_out = same_images(answers, [one.name for one in compared])
    except UserError:
        return alone
    if left_out:
        return alone
    return [Compared(one.name, own, one.counts, one.config) for one, own in zip(compared, matched, strict=True)]


def _against_the_best(ranked: Sequence[Ranked]) -> list[Comparison]:
    return corrected([compare_pair(ranked[0].group, one.group, 1, CompareConfig(resamples=1000)) for one in ranked[1:]])


def _ranking(ranked: Sequence[Ranked], found: Sequence[Comparison]) -> Table:
    columns = {
        **{"": "", "rank": "", "seeds": "", "top-1 error %": ".2f", "from": ".2f", "to": ".2f", "deviation": ".2f"},
        **{"top-5 error %": ".2f", "to the best": "+.2f", "p": ".2g", "parameters": "", "training": ""},
    }
    rows: list[list[Cell]] = []
    for place, one in enumerate(ranked):
        errors, last = [result.error(1).measured for result in one.results], one.results[0]
        several = len(errors) > 1
        low, high = mean_interval(errors) if several else wilson_interval(last.wrong1, last.n)
        comparison = found[place - 1] if place else None
        params = one.runs[0].result.get("params") if one.runs[0].result else None
        seconds = [
            run.result["training_seconds"] for run in one.runs if run.result and "training_seconds" in run.result
        ]
        rows.append(
            [
                *(one.group.name, place + 1, len(errors), one.error, low, high, stdev(errors) if several else None),
                mean(result.error(5).measured for result in one.results),
                None if comparison is None else -comparison.difference,
                None if comparison is None else comparison.adjusted,
                *(params, clock(mean(seconds)) if seconds else None),
            ]
        )
    notes = [
        "from, to: 95 % interval, of one training by its images (Wilson), of several by their seeds (Student's t)",
        "p: that the difference to the best is chance, corrected for all of them (Holm); `cnnbench compare` says more",
    ]
    table = Table("Ranking", {name or "network": form for name, form in columns.items()}, rows, notes)
    return without_empty(table)
