"""TensorBoard: scalars, pictures, and the config beside the final errors under HPARAMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.tensorboard import summary

from cnnbench.training.loggers.event_files import EventFile, PointKey, rewrite
from cnnbench.training.loggers.logger import LoggedRun, Scope
from cnnbench.training.loggers.tags import EPOCH_TAGS, STEP_TAGS, points

HPARAMS = "_hparams_/"  # how the tags of the config beside the final errors begin


class TensorBoard:
    def __init__(self, run: LoggedRun) -> None:
        """Points after the last save, which come again, are dropped; those of the epochs before it are complete."""
        folder, saved, last = run.folder / "tensorboard", run.step, run.epochs * run.steps_per_epoch

        def keeps(tag: str, step: int) -> bool:
            """Curves up to the save; pictures of the start, unless they come again as those of the end do."""
            if tag in STEP_TAGS.values():
                return step <= saved
            again = step == last or tag in EPOCH_TAGS.values() or tag.startswith(HPARAMS)
            return saved > 0 and step <= saved and not again

        rewrite(folder, keeps, {place: value for epoch in run.history for place, value in _points(epoch).items()})
        self.events = EventFile(folder, saved + 1 if saved else 0)

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        for tag, value in points(scope, step, values).items():
            self.events.add(summary.scalar(tag, value), step)

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        self.events.add(summary.image(name, picture, dataformats="HWC"[: picture.ndim]), step)

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        for part in summary.hparams(dict(values), dict(errors)):
            self.events.add(part)

    def close(self) -> None:
        self.events.close()


def _points(epoch: Mapping[str, Any]) -> dict[PointKey, float]:
    """What the curves show of an epoch, a line of metrics.jsonl."""
    return {(tag, epoch["step"]): value for tag, value in points("epoch", epoch["step"], epoch).items()}
