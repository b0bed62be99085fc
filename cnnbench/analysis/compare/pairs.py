"""Two groups against each other: the difference of their errors, how sure it is, and what that says in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import mean, variance

from cnnbench.analysis.compare.groups import Group
from cnnbench.analysis.tables import Table
from cnnbench.config.compare import CompareConfig
from cnnbench.evaluation.distributions import holm, normal_quantile, seeds_needed, t_quantile
from cnnbench.evaluation.paired import (
    LEVEL,
    Spread,
    bootstrap,
    difference,
    discordant,
    over_both,
    over_errors,
    over_seeds,
)
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.errors import UserError

POWER = 0.8
MOST_SEEDS = 1000  # of which a number of trainings is told
MCNEMAR, BOTH, SEEDS, COUNTS = "McNemar, exact", "t over seeds and images", "t over seeds", "counts, unpaired"


@dataclass(frozen=True)
class Comparison:
    """The top-`top` error of `first` less that of `second`, in points, on `n` images.

    `low`, `high`: its 95 % interval, and `p` the probability of so large a difference by chance, by `method`;
    `adjusted` for all comparisons of a command (Holm). `only_first`, `only_second`: images that one alone has wrong,
    of one training each. `others`: further intervals, by what varies in them. `unseen`: the difference that would
    mostly be shown.
    """

    first: Group
    second: Group
    top: int
    n: int
    difference: float
    low: float
    high: float
    p: float
    method: str
    unseen: float
    only_first: int | None = None
    only_second: int | None = None
    others: tuple[tuple[str, float, float], ...] = ()
    adjusted: float = 1.0
    of: int = 1

    @property
    def shown(self) -> bool:
        """Whether chance does not explain the difference."""
        return self.adjusted < LEVEL


def compare_all(groups: Sequence[Group], top: int, config: CompareConfig) -> list[Comparison]:
    """Every pair, or each with `config.against`; p values corrected for all of them."""
    pairs = list(combinations(groups, 2))
    if config.against is not None:
        base = next((group for group in groups if _has(group, config.against)), None)
        if base is None:
            names = ", ".join(group.name for group in groups)
            raise UserError(f"against={config.against} is none of what is compared: {names}")
        pairs = [(base, group) for group in groups if group is not base]
    return corrected([compare_pair(first, second, top, config) for first, second in pairs])


def corrected(found: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons with p values corrected for all of them."""
    adjusted = holm([one.p for one in found])
    return [replace(one, adjusted=p, of=len(found)) for one, p in zip(found, adjusted, strict=True)]


def compare_pair(first: Group, second: Group, top: int, config: CompareConfig) -> Comparison:
    """One training against one: by McNemar's test; groups: by their seeds and images; counts alone: unpaired."""
    ones, twos = first.wrong(top), second.wrong(top)
    if ones is None or twos is None:
        return _unpaired(first, second, top)
    found, n = difference(ones, twos), ones.shape[1]
    images = ("images, bootstrap", *bootstrap(ones, twos, "images", config.resamples, config.seed))
    spread, seeds = over_both(ones, twos), over_seeds(ones, twos)
    if spread is None or seeds is None:
        split = discordant(ones[0], twos[0])
        return Comparison(
            *(first, second, top, n, found, *split.interval, split.p, MCNEMAR, split.smallest_seen(POWER)),
            *(split.first, split.second, (images,)),
        )
    both = ("seeds and images, bootstrap", *bootstrap(ones, twos, "images and seeds", config.resamples, config.seed))
    others = (images, ("seeds, t", *seeds.interval(found)), *([both] if min(len(ones), len(twos)) > 1 else []))
    return Comparison(
        *(first, second, top, n, found, *spread.interval(found), spread.p(found), BOTH, _unseen(spread)),
        others=others,
    )


def _unpaired(first: Group, second: Group, top: int) -> Comparison:
    """By counts alone: of groups by their seeds, of single trainings as if of different images (Newcombe 1998, method
    10), which is too wide where they are the same."""
    (a, n), (b, m) = first.counts(top)[0], second.counts(top)[0]
    p, q = mean(first.errors(top)), mean(second.errors(top))
    seeds = over_errors(first.errors(top), second.errors(top))
    if seeds is not None:
        bounds, chance = seeds.interval(p - q), seeds.p(p - q)
        return Comparison(first, second, top, min(n, m), p - q, *bounds, chance, SEEDS, _unseen(seeds))
    (p_low, p_high), (q_low, q_high) = wilson_interval(a, n), wilson_interval(b, m)
    low, high = p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
    share = (p * n + q * m) / (n + m)
    error = math.sqrt(share * (100 - share) * (1 / n + 1 / m))
    spread = Spread(error, math.inf)
    return Comparison(first, second, top, min(n, m), p - q, low, high, spread.p(p - q), COUNTS, _unseen(spread))


def pair_table(found: Sequence[Comparison]) -> Table:
    """A row for each comparison."""
    columns = {
        **{"first": "", "second": "", "difference": "+.2f", "from": "+.2f", "to": "+.2f", "p": ".3g"},
        **{"p, corrected": ".3g", "only first wrong": "", "only second wrong": "", "by": ""},
    }
    rows = [
        (
            *(one.first.name, one.second.name, one.difference, one.low, one.high, one.p),
            *(one.adjusted, one.only_first, one.only_second, one.method),
        )
        for one in found
    ]
    drop = {"p, corrected"} if len(found) == 1 else set()
    drop |= {"only first wrong", "only second wrong"} if all(one.only_first is None for one in found) else set()
    kept = [i for i, name in enumerate(columns) if name not in drop]
    notes = ["difference: first less second, points; from, to: 95 % interval"]
    for one in found:
        others = ", ".join(f"{low:+.2f} to {high:+.2f} ({what})" for what, low, high in one.others)
        notes += [f"{one.first.name}, {one.second.name}: {others}"] if others else []
    if len(found) > 1:
        notes.append(f"p, corrected: for {len(found)} comparisons (Holm)")
    names = list(columns)
    shown = {names[i]: columns[names[i]] for i in kept}
    return Table(f"Difference in top-{found[0].top} error", shown, [[row[i] for i in kept] for row in rows], notes)


def verdict(one: Comparison) -> str:
    """What a comparison says, in one sentence."""
    better, worse = (one.first, one.second) if one.difference < 0 else (one.second, one.first)
    low, high = (one.low, one.high) if one.difference > 0 else (-one.high, -one.low)
    errors = f"{mean(better.errors(one.top)):.2f} % against {mean(worse.errors(one.top)):.2f} %"
    said = f"{abs(one.difference):.2f} points of top-{one.top} error, 95 % interval {low:.2f} to {high:.2f}"
    p = f"{_p(one.adjusted)}{f', corrected for {one.of} comparisons' if one.of > 1 else ''} ({one.method})"
    if one.shown:
        return f"{better.name} is better than {worse.name} by {said}: {errors} of {one.n:,} images, {p}{_scope(one)}."
    return (
        f"No difference between {one.first.name} and {one.second.name} is shown: {errors} of {one.n:,} images, {said}, "
        f"{p}; one below {one.unseen:.2f} points would mostly go unseen here{_scope(one)}."
    )


def seeds_note(one: Comparison, wanted: float | None) -> str | None:
    """How many seeds would show a difference; None where there is none to speak of, or no deviation is known."""
    parts = [group.errors(one.top) for group in (one.first, one.second) if len(group.trainings) > 1]
    points = wanted or abs(one.difference)
    names = f"{one.first.name}, {one.second.name}"
    if not parts:
        return f"{names}: how far seeds vary is not known from one training each: train more, as with seed=0,1,2"
    freedom = sum(len(part) - 1 for part in parts)
    deviation = math.sqrt(sum(variance(part) * (len(part) - 1) for part in parts) / freedom)
    if points == 0 or deviation == 0:
        return None
    needed = seeds_needed(points, deviation, POWER, LEVEL, MOST_SEEDS)
    trainings = f"more than {MOST_SEEDS:,}" if needed >= MOST_SEEDS else f"{needed:,}"
    return (
        f"{names}: seeds vary by a standard deviation of {deviation:.2f} points, so that a difference of {points:.2f} "
        f"takes {trainings} trainings of each to be shown ({POWER:.0%} power, two-sided 5 %)"
    )


def _scope(one: Comparison) -> str:
    if one.method == MCNEMAR:
        return "; of one training each, it says nothing of other seeds"
    if one.method == COUNTS:
        return "; by counts alone, which cannot tell what the same images would"
    sizes = len(one.first.trainings), len(one.second.trainings)
    return f"; {sizes[0]} and {sizes[1]} trainings" + (
        "" if min(sizes) > 1 else ", the one taken to vary as the others"
    )


def _unseen(spread: Spread) -> float:
    """Below which a difference is shown with a probability of less than POWER."""
    return (t_quantile(1 - LEVEL / 2, spread.df) + normal_quantile(POWER)) * spread.error


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def _has(group: Group, word: str) -> bool:
    return word == group.name or any(one.name == word for one in group.trainings)
