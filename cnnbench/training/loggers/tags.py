"""What trackers call the figures of a run: the same curves under the same names in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnbench.training.loggers.logger import Scope

STEP_EVERY = 50  # steps between two points of the curves of steps: reading a loss waits for the device
STEP_TAGS = {
    "loss": "train/step_loss",
    "rate": "train/rate",
    "images_per_second": "speed/images_per_second",
    "data_wait": "speed/data_wait",
}
EPOCH_TAGS = {
    "train_loss": "train/loss",
    "train_top1_error": "train/top1_error",
    "val_loss": "val/loss",
    "top1_error": "val/top1_error",
    "top5_error": "val/top5_error",
    "averaged_val_loss": "val/averaged_loss",
    "averaged_top1_error": "val/averaged_top1_error",
    "averaged_top5_error": "val/averaged_top5_error",
    "holdout_loss": "holdout/loss",
    "holdout_top1_error": "holdout/top1_error",
    "holdout_top5_error": "holdout/top5_error",
    "images_per_second": "speed/epoch_images_per_second",
    "data_wait": "speed/epoch_data_wait",
}


def points(scope: Scope, step: int, values: Mapping[str, Any]) -> dict[str, float]:
    """The points of curves that figures of `step` make, by tag; {} for most steps."""
    if scope == "step" and step % STEP_EVERY:
        return {}
    tags = {"step": STEP_TAGS, "epoch": EPOCH_TAGS, "final": {name: name for name in values}}[scope]
    return {tag: float(values[name]) for name, tag in tags.items() if name in values}
