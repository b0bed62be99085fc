"""What a linear classifier came to on each layer of a network, and of several networks, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from cnnbench.analysis.probe.features import Features
from cnnbench.analysis.tables import Cell, Table
from cnnbench.config.probe import PIXELS, ProbeConfig
from cnnbench.evaluation.seeds import mean_interval

SHOWN = 8  # names in a note


@dataclass(frozen=True)
class Probed:
    """What a linear classifier came to on one layer: `values` of an image that it reads, the penalty that was chosen,
    errors in percent, and the counts of the val split with the 95 % interval (Wilson)."""

    layer: str
    point: str
    values: int
    penalty: float
    held_out_error: float
    train_error: float
    top1_error: float
    low: float
    high: float
    wrong: int
    n: int
    tried: list[list[float]]
    at_end: bool
    converged: bool


@dataclass(frozen=True)
class Group:
    """Networks that differ in their seed alone, and what a classifier came to on the same layers of each."""

    name: str
    networks: Sequence[Sequence[Probed]]

    def __len__(self) -> int:
        return len(self.networks)

    def layers(self) -> list[Sequence[Probed]]:
        """Of each layer what a classifier came to in each network, in the order of the forward pass."""
        return list(zip(*self.networks, strict=True))


def interval_of(found: Sequence[Probed]) -> tuple[float, float, float]:
    """The mean top-1 error of one layer of several networks, and its 95 % interval, percent: by their seeds (Student's
    t), of one network, and of pixels, which no seed changes, by the images (Wilson)."""
    first, errors = found[0], [each.top1_error for each in found]
    alone = len(found) == 1 or first.layer == PIXELS
    return (mean(errors), *((first.low, first.high) if alone else mean_interval(errors)))


def table_of_groups(groups: Sequence[Group], title: str, notes: Sequence[str]) -> Table:
    """A row for each layer of each group."""
    columns = {
        **{"network": "", "layer": "", "values": "", "trainings": ""},
        **{"top-1 error %": ".2f", "from": ".2f", "to": ".2f", "each": ""},
    }
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        for place, found in enumerate(group.layers()):
            each = ", ".join(f"{one.top1_error:.2f}" for one in found) if len(found) > 1 else None
            name = None if place else group.name
            rows.append((name, found[0].layer, found[0].values, len(found), *interval_of(found), each))
    return Table(title, columns, rows, notes)


def table_of(found: Sequence[Probed], title: str, notes: Sequence[str]) -> Table:
    """A row for each layer."""
    columns = {
        "layer": "",
        "values": "",
        "penalty": "g",
        "held-out error %": ".2f",
        "train error %": ".2f",
        "top-1 error %": ".2f",
        "from": ".2f",
        "to": ".2f",
        "wrong": "",
    }
    rows: list[tuple[Cell, ...]] = [
        (
            *(each.layer, each.values, each.penalty, each.held_out_error, each.train_error),
            *(each.top1_error, each.low, each.high, f"{each.wrong:,}/{each.n:,}"),
        )
        for each in found
    ]
    return Table(title, columns, rows, notes)


def notes_of(
    config: ProbeConfig, found: Sequence[tuple[str, Probed]], data: tuple[Features, Features], several: bool = False
) -> list[str]:
    """What is not seen in the table of `found`, each with its name; `several`: of trainings that differ in the seed."""
    seen, tested = data
    notes = [
        f"Of {len(seen.labels):,} training images {config.held_out:.0%} of each class chose the penalty, by seed "
        f"{config.seed}; then the classifier was fitted to all. from, to: 95 % interval of the top-1 error, "
        f"{'of several trainings of their mean by seeds (t), of one ' if several else ''}by its images (Wilson).",
        f"Images as `cnnbench eval` makes them; features standardised; maps of more than {config.most_values:,} values "
        "averaged over the cells of a grid.",
    ]
    ends = [name for name, each in found if each.at_end]
    if ends:
        notes.append(
            f"The penalty of {_some(ends)} is at an end of those tried: a better one may lie beyond (penalties=)."
        )
    late = [name for name, each in found if not each.converged]
    if late:
        notes.append(f"Not converged: {_some(late)}; raise iterations={config.iterations}.")
    for features, what in ((seen, "training images were left out"), (tested, "validation images count as wrong")):
        if features.broken:
            first = next(iter(features.broken.values()))
            notes.append(f"{len(features.broken):,} {what}, which could not be decoded: {first}.")
    return notes


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
