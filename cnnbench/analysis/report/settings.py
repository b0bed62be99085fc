"""In which keys the configs of runs differ."""

from __future__ import annotations

import dataclasses
from typing import Any

from cnnbench.analysis.report.run import Run
from cnnbench.analysis.tables import Table
from cnnbench.config.fields import entries
from cnnbench.config.train import TrainConfig

NOT_SHOWN = ("run", "recipe_source", "recipe_for", "arch.recipe")  # what these say is said by others


def settings(runs: list[Run]) -> tuple[str | Table]:
    """A line for each key that is not the same in all runs, and a column for each run; or that there is none."""
    names = [name for name in entries(TrainConfig) if name not in NOT_SHOWN]
    values = {name: [_value(run.config, name) for run in runs] for name in names}
    rows = [
        (name, *map(_shown, found))
        for name, found in values.items()
        if not any(dataclasses.is_dataclass(value) for value in found) and any(value != found[0] for value in found)
    ]
    if not rows:
        return ("The configs are the same.",)
    columns = {"key, by run": ""} | {run.name: "" for run in runs}
    return (Table("Keys that differ", columns, rows),)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(item)}" for name, item in value.items())
    return "null" if value is None else str(value)


def _value(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part, None)
    return config
