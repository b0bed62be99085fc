"""`cnnbench average`: its keys, and what has to hold between them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnnbench.config.devices import DEVICES
from cnnbench.config.fields import Range, check_fields, key, require
from cnnbench.config.runs import check_runs

RESERVED = re.compile(r"last|best|previous|damaged|(epoch-)?\d+")


@dataclass(frozen=True)
class CheckpointMeanConfig:
    run: str | None = key("the run: folder, or name in runs/", None)
    last: int = key("how many of the epochs that keep_every kept, the last ones", 5, range=Range(at_least=2))
    checkpoints: list[str] = key("which ones, in place of the last, as in checkpoints=[60,80,best]", [])
    weights_kind: str = key("of each checkpoint: its weights, or their average", "raw", choices=("raw", "averaged"))
    precise_bn: int | None = key(
        "training images over which the statistics of batch normalisation are computed anew; null: they are averaged "
        "like the weights",
        8192,
        range=Range(at_least=1),
    )
    device: str = key("where to compute the statistics", "auto", choices=DEVICES)
    workers: int | None = key("loader workers; null: one per core", None, range=Range(at_least=0))
    name: str = key("what checkpoint= calls the mean afterwards", "average")


def check_checkpoint_mean(config: CheckpointMeanConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_runs(config)
    require(config.run is not None, "nothing to average: give run=NAME")
    require(len(config.checkpoints) != 1, "checkpoints= names one, and a mean needs two: name several, or give last=N")
    require(
        re.fullmatch(r"[\w.-]+", config.name) and not config.name.startswith("."),
        f"name={config.name} is no name of a file: take letters, digits, - and _, as in name=average",
    )
    require(not RESERVED.fullmatch(config.name), f"name={config.name} is one of the run's own: give name=average")
