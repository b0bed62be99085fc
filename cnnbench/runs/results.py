"""What a run has reached: result.json, eval-*.json and metrics.jsonl, by one schema for those who write and read them.

Errors are in percent, losses in nats, times in seconds; counts are integers. Files of an earlier version may lack keys
that are not required here; a file that lacks a required one counts as none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypedDict, get_args, get_origin, get_type_hints

from cnnbench.runtime.files import json_or_none, json_text, read_json, read_text

METRICS, RESULT, EVALUATIONS = "metrics.jsonl", "result.json", "eval-*.json"


class _EpochMetrics(TypedDict):
    epoch: int  # epochs done


class EpochMetrics(_EpochMetrics, total=False):
    """A line of metrics.jsonl."""

    step: int  # optimiser steps done, over the whole run
    train_loss: float  # mean over the steps of the epoch
    train_top1_error: float  # of the training images as augmented, while the weights changed
    train_n: int  # training images that it counts
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
    holdout_loss: float  # of training images held out, by whose error the run chooses
    holdout_top1_error: float
    holdout_top5_error: float
    holdout_n: int


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
    trial: str  # what makes it a trial and no run of its recipe: fewer steps, fewer images
    top1_error: float
    top5_error: float
    epoch: int
    averaged_top1_error: float
    averaged_top5_error: float
    averaged_wrong_top1: int
    averaged_wrong_top5: int
    holdout_wrong_top1: int  # of training images held out: these errors chose
    holdout_wrong_top5: int
    holdout_n: int
    best_top1_error: float  # of the images held out, where there are any
    best_epoch: int
    params: int
    images_per_second: float
    training_seconds: float
    waiting_seconds: float
    evaluation_seconds: float
    saving_seconds: float
    time_shares: dict[str, float]  # of all four: computing, waiting for data, evaluating, saving
    peak_memory: int  # bytes that the device of one of its processes had handed out at most, in the last start
    peak_resident: int  # bytes of memory that one of its processes held at most, in the last start
    device_joules: float  # energy of all their devices in the last start
    device_utilisation: float  # mean share of the time in which a kernel ran, of them all
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
    boxes: str | None
    localisation: dict[str, int] | None  # of the images with boxes: wrong_top1, wrong_top5, wrong_known (GT-known), n
    competing: int | None  # classes that competed, where not all did
    typed: dict[str, Any]  # the paths above, which are absolute, as they were typed, where that is another form
    changed: dict[str, Any]


def load_result(folder: Path) -> RunResult | None:
    """result.json of the run in `folder`, or None while the run has not ended."""
    return _checked(read_json(folder / RESULT), RunResult)


def load_evaluations(folder: Path) -> dict[str, EvaluationResult | None]:
    """What `cnnbench eval run=` wrote into the run in `folder`, by file name, sorted; None for what cannot be read."""
    return {file.name: load_evaluation(file) for file in sorted(folder.glob(EVALUATIONS))}


def load_evaluation(file: Path) -> EvaluationResult | None:
    """What `cnnbench eval` wrote as `file`; None for what cannot be read."""
    return _checked(read_json(file), EvaluationResult)


def load_metrics(folder: Path) -> list[EpochMetrics]:
    """The epochs of the run in `folder`, up to the first line that is cut or something else."""
    found: list[EpochMetrics] = []
    for line in (read_text(folder / METRICS) or "").splitlines():
        content = _checked(json_or_none(line), EpochMetrics)
        if content is None:
            break
        found.append(content)
    return found


def metrics_text(epochs: list[EpochMetrics]) -> str:
    """What metrics.jsonl holds after `epochs`."""
    return "".join(f"{json_text(epoch)}\n" for epoch in epochs)


def _checked(content: Any, schema: Any) -> Any:
    """`content` if it has the required keys of the TypedDict `schema`, and the types of all that it has; else None."""
    if not isinstance(content, dict) or not schema.__required_keys__ <= content.keys():
        return None
    return content if all(isinstance(content[name], _types(schema).get(name, object)) for name in content) else None


@cache
def _types(schema: Any) -> dict[str, tuple[type, ...]]:
    """What JSON makes of each key of the TypedDict `schema`: lists of tuples, and whole numbers of some floats."""
    made: dict[Any, tuple[type, ...]] = {float: (int, float), tuple: (list,)}
    found = {}
    for name, hint in get_type_hints(schema).items():
        options = get_args(hint) if get_origin(hint) is UnionType else [hint]
        plain = [get_origin(option) or option for option in options]
        found[name] = tuple(kind for option in plain for kind in made.get(option, (option,)))
    return found
