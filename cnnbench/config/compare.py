"""`cnnbench compare`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.analyse import FORMATS
from cnnbench.config.data import DataConfig, check_source
from cnnbench.config.devices import DEVICES
from cnnbench.config.evaluate import protocol_key
from cnnbench.config.fields import SEED, Range, check_fields, group, key, require
from cnnbench.config.weights import checkpoint_key
from cnnbench.config.written import FILE, PNG

NOTHING_TO_COMPARE = (
    "nothing to compare: name two runs or more, or files of predictions, as in `cnnbench compare vgg16 resnet50`"
)
GROUPINGS = ("seed", "none")


@dataclass(frozen=True)
class CompareConfig:
    runs: list[str] = key(
        "runs (folders, or names in runs/), or what `cnnbench eval` wrote: folders of details, predictions.csv, "
        "eval-*.json; a+b is one group of trainings; `compare A B` is short for `runs=[A,B]`",
        [],
    )
    groups: str = key(
        "seed: runs that differ in their seed alone are one group; none: each alone", "seed", choices=GROUPINGS
    )
    published: float | None = key(
        "top-1 error in percent to hold the groups against; null: what is published of their networks",
        None,
        range=Range(above=0, below=100),
    )
    difference: float | None = key(
        "points of top-1 error, of which it is told how many seeds would show them; null: those found",
        None,
        range=Range(above=0),
    )
    against: str | None = key(
        "the network, or one of its group, that all others are compared with; null: all pairs", None
    )
    classes: int = key("most classes and images to list that differ", 10, range=Range(at_least=0))
    resamples: int = key("of the bootstrap", 10_000, range=Range(at_least=100))
    seed: int = key("of the bootstrap", 0, range=SEED)
    protocol: str = protocol_key()
    checkpoint: str = checkpoint_key("runs")
    weights_kind: str = key("of runs: their weights, or their average", "raw", choices=("raw", "averaged"))
    data: DataConfig = group(DataConfig, "the images (the val split); null path: those of the runs")
    batch: int = key("views per process and step, where a run is evaluated first", 256, range=Range(at_least=1))
    device: str = key("where to evaluate", "auto", choices=DEVICES)
    format: str = key("form of the output", "table", choices=FORMATS)
    sheet: str | None = key(
        "PNG file for the images on which the first two differ, the surest answers first", None, written=PNG
    )
    output: str | None = key("file for the figures as JSON; null: none", None, written=FILE)


def check_compare(config: CompareConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    require(config.runs, NOTHING_TO_COMPARE)
    for name in config.runs:
        require(name.strip(), NOTHING_TO_COMPARE)
        require(config.runs.count(name) == 1, f"{name} is named twice: it does not differ from itself")
    if config.data.path is not None:
        check_source(config.data)
