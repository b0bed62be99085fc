"""`cnnbench predict`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from cnnbench.config.checks.evaluate import check_protocol, check_trained
from cnnbench.config.data import DataConfig
from cnnbench.config.evaluate import (
    EvalConfig,
    TrainedConfig,
    protocol_key,
    runs_key,
    scales_key,
    several_weights_key,
)
from cnnbench.config.fields import Range, check_fields, group, key, require
from cnnbench.config.written import PNG, Written

PICTURES = "the pictures"  # the data set of a prediction, where a name for it is asked for
NOTHING_TO_PREDICT = "nothing to predict with: give run=NAME, or arch=NETWORK weights=FILE"
NO_PICTURES = "no pictures are given: name a folder or files, as in `cnnbench predict run=NAME holiday/ cat.jpg`"


@dataclass(frozen=True)
class PredictConfig(TrainedConfig):
    files: list[str] = key(
        "pictures, and folders of pictures at any depth; `predict A B` is short for `files=[A,B]`", []
    )
    runs: list[str] = runs_key()
    weights: Any = several_weights_key()
    data: DataConfig = group(DataConfig, "how pictures are read; no path: they are named by `files`")
    protocol: str = protocol_key()
    scales: list[int] = scales_key()
    top: int = key("classes that are given for each picture; all where the network has fewer", 5, range=Range(1, 5))
    format: str = key("form of what is printed", "table", choices=("table", "csv", "jsonl"))
    output: str | None = key(
        "file for the answers, *.csv or *.jsonl; null: they are printed", None, written=Written((".csv", ".jsonl"))
    )
    sheet: str | None = key("PNG file for a contact sheet of the pictures with the answers", None, written=PNG)


def check_predict(config: PredictConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    require(config.files, NO_PICTURES)
    require(
        config.data.path is None,
        f"data={config.data.path} is for data sets with classes (`cnnbench eval`): name pictures without data=",
    )
    check_trained(config, NOTHING_TO_PREDICT)
    if config.run is None and not config.runs:
        check_protocol(as_eval(config, PICTURES))


def as_eval(config: TrainedConfig, data: str | None = None) -> EvalConfig:
    """The evaluation that sees the same images by the same network, of the data set `data` where none is given."""
    shared = {item.name: getattr(config, item.name) for item in fields(EvalConfig) if hasattr(config, item.name)}
    shared |= {"output": None, "data": replace(config.data, path=config.data.path or data)}
    return EvalConfig(**shared)
