"""`cnnbench where`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnbench.config.analyse import FORMATS
from cnnbench.config.checks.evaluate import check_protocol, check_trained
from cnnbench.config.data import MISSING, check_file
from cnnbench.config.evaluate import (
    TrainedConfig,
    competing_key,
    protocol_key,
    runs_key,
    scales_key,
    several_weights_key,
)
from cnnbench.config.fields import Range, check_fields, key, require
from cnnbench.config.predict import as_eval
from cnnbench.config.written import FILE, Written

GROUPS = ("class_group", "size", "colour", "quality")
NO_NETWORK = "nothing to look at: give run=NAME, or arch=NETWORK weights=FILE data=PATH"


@dataclass(frozen=True)
class WhereConfig(TrainedConfig):
    runs: list[str] = runs_key()
    weights: Any = several_weights_key()
    protocol: str = protocol_key()
    scales: list[int] = scales_key()
    competing: str = competing_key()
    by: list[str] = key("groups of images whose errors are told apart", list(GROUPS), choices=GROUPS)
    class_groups: str | None = key(
        "file with a line `class<tab>group` for each class; null: WordNet's kinds of ILSVRC's classes", None
    )
    bins: int = key("of the calibration", 15, range=Range(at_least=2, at_most=1000))
    plot: str | None = key(
        "file for the reliability diagram, *.svg, *.png or *.pdf; null: none",
        None,
        written=Written((".svg", ".png", ".pdf")),
    )
    format: str = key("form of the output", "table", choices=FORMATS)
    output: str | None = key("file for all figures as JSON; null: none", None, written=FILE)


def check_where(config: WhereConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_file("class_groups", config.class_groups)
    check_trained(config, NO_NETWORK)
    if config.run is None and not config.runs:
        require(config.data.path is not None, MISSING)
        check_protocol(as_eval(config))
