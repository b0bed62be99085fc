"""TensorBoard: scalars, pictures, and the config beside the final errors under HPARAMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from cnnbench.training.loggers.logger import LoggedRun, Scope

STEP_EVERY = 50  # steps between two points of the curves of steps
STEP_TAGS = {
    "loss": "train/step_loss",
    "rate": "train/rate",
    "images_per_second": "speed/images_per_second",
    "data_wait": "speed/data_wait",
}
EPOCH_TAGS = {
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "top1_error": "val/top1_error",
    "top5_error": "val/top5_error",
    "averaged_val_loss": "val/averaged_loss",
    "averaged_top1_error": "val/averaged_top1_error",
    "averaged_top5_error": "val/averaged_top5_error",
    "images_per_second": "speed/epoch_images_per_second",
    "data_wait": "speed/epoch_data_wait",
}


class TensorBoard:
    def __init__(self, run: LoggedRun) -> None:
        self.writer = SummaryWriter(run.folder / "tensorboard", purge_step=run.step)

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope == "step" and step % STEP_EVERY:
            return
        tags = {"step": STEP_TAGS, "epoch": EPOCH_TAGS, "final": {name: name for name in values}}[scope]
        for name, tag in tags.items():
            if name in values:
                self.writer.add_scalar(tag, float(values[name]), step)

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        self.writer.add_image(name, picture, step, dataformats="HWC"[: picture.ndim])

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        for summary in hparams(dict(values), dict(errors)):
            # torch leaves the attribute's type to be None's, which it is only after close().
            self.writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]

    def close(self) -> None:
        self.writer.close()
