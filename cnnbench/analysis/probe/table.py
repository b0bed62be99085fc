"""What a linear classifier came to on each layer, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnbench.analysis.probe.features import Features
from cnnbench.analysis.tables import Cell, Table
from cnnbench.config.probe import ProbeConfig


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


def notes_of(config: ProbeConfig, found: Sequence[Probed], data: tuple[Features, Features]) -> list[str]:
    """What is not seen in the table."""
    seen, tested = data
    notes = [
        f"Of {len(seen.labels):,} training images {config.held_out:.0%} of each class chose the penalty, by seed "
        f"{config.seed}; then the classifier was fitted to all. from, to: 95 % interval (Wilson) of the top-1 error.",
        f"Images as `cnnbench eval` makes them; features standardised; maps of more than {config.most_values:,} values "
        "averaged over the cells of a grid.",
    ]
    ends = [each.layer for each in found if each.at_end]
    if ends:
        notes.append(
            f"The penalty of {', '.join(ends)} is at an end of those tried: a better one may lie beyond (penalties=)."
        )
    late = [each.layer for each in found if not each.converged]
    if late:
        notes.append(f"Not converged: {', '.join(late)}; raise iterations={config.iterations}.")
    for features, what in ((seen, "training images were left out"), (tested, "validation images count as wrong")):
        if features.broken:
            first = next(iter(features.broken.values()))
            notes.append(f"{len(features.broken):,} {what}, which could not be decoded: {first}.")
    return notes
