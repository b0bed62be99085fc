"""What a run has reached: result.json, eval-*.json and metrics.jsonl, by one schema for those who write and read them.

Errors are in percent, losses in nats, times in seconds; counts are integers. Files of an earlier version may lack keys
that are not required here; a file that lacks a required one counts as none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

METRICS, RESULT, EVALUATIONS = "metrics.jsonl", "result.json", "eval-*.json"


class _EpochMetrics(TypedDict):
    epoch: int  # epochs done


class EpochMetrics(_EpochMetrics, total=False):
    """A line of metrics.jsonl."""

    step: int  # optimiser steps done, over the whole run
    train_loss: float  # mean over the steps of the epoch
    rate: float  # learning rate at the last step
    images_per_second: float
    images_per_second_needed: float  # what the network could take
    images_per_second_supplied: float  # what the workers could make
    data_wait: float  # share of the time waited for data
    training_seconds: float
    evaluation_seconds: float
    elapsed_seconds: float  # training, evaluation and saves, over the whole run
    val_loss: float
    top1_error: float
    top5_error: float
    n: int  # validation images
    averaged_val_loss: float
    averaged_top1_error: float
    averaged_top5_error: float


# Figures of an epoch that the clock decides: no two runs share them.
CLOCK = (
    "images_per_second",
    "images_per_second_needed",
    "images_per_second_supplied",
    "data_wait",
    "training_seconds",
    "evaluation_seconds",
    "elapsed_seconds",
)


class _Errors(TypedDict):
    wrong_top1: int
    wrong_top5: int
    n: int
    protocol: str


class RunResult(_Errors, total=False):
    """result.json: a run that has ended, after its last epoch."""

    arch: str
    top1_error: float
    top5_error: float
    epoch: int
    averaged_top1_error: float
    averaged_top5_error: float
    averaged_wrong_top1: int
    averaged_wrong_top5: int
    best_top1_error: float
    best_epoch: int
    params: int
    images_per_second: float
    training_seconds: float
    waiting_seconds: float
    evaluation_seconds: float
    saving_seconds: float
    processes: int
    device: str
    precision: str
    recipe: str
    recipe_protocol: str
    data: str
    data_form: str
    data_engine: str
    data_pixels: str
    classes: int
    training_images: int
    seed: int


class EvaluationResult(_Errors, total=False):
    """eval-*.json: what `cnnbench eval` counted."""

    arch: str | list[str]
    top1_error: float
    top5_error: float
    top1_interval: tuple[float, float]
    top5_interval: tuple[float, float]
    loss: float | None
    protocol_in_words: str
    weights: str | list[str]
    weights_kind: str
    checkpoint: str | None
    data: str
    data_form: str
    labels: str | None
    exclude: str | None
    typed: dict[str, Any]  # the paths above, which are absolute, as they were typed, where that is another form
    changed: dict[str, Any]


def load_result(folder: Path) -> RunResult | None:
    """result.json of the run in `folder`, or None while the run has not ended."""
    return _load(folder / RESULT, _Errors.__required_keys__)


def load_evaluations(folder: Path) -> dict[str, EvaluationResult | None]:
    """What `cnnbench eval run=` wrote into the run in `folder`, by file name, sorted; None for what cannot be read."""
    return {file.name: _load(file, _Errors.__required_keys__) for file in sorted(folder.glob(EVALUATIONS))}


def load_metrics(folder: Path) -> list[EpochMetrics]:
    """The epochs of the run in `folder`; a kill may have cut the last line."""
    file, found = folder / METRICS, []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            content = json.loads(line)
        except ValueError:
            break
        if not _has(content, _EpochMetrics.__required_keys__):
            break
        found.append(content)
    return found


def _load(file: Path, required: frozenset[str]) -> Any:
    """The content of a JSON file, or None if it cannot be read or lacks one of the keys `required`."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return content if _has(content, required) else None


def _has(content: Any, required: frozenset[str]) -> bool:
    return isinstance(content, dict) and required <= content.keys()
