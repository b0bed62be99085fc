"""metrics.jsonl: a line for each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from cnnbench.runs.results import METRICS, EpochMetrics, metrics_text
from cnnbench.runtime.files import read_text, write_text
from cnnbench.training.loggers.logger import LoggedRun, Scope


class JsonLines:
    def __init__(self, run: LoggedRun) -> None:
        """Lines of epochs that will be trained again are dropped; what a kill has cut is made anew."""
        self.file, self.epochs = run.folder / METRICS, [*run.history]
        if (read_text(self.file) or "") != metrics_text(self.epochs):
            self._write()

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope == "epoch":
            self.epochs.append(cast(EpochMetrics, dict(values)))
            self._write()

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        """Figures only."""

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        """config.yaml and result.json hold them."""

    def close(self) -> None:
        """Nothing stays open between two lines."""

    def _write(self) -> None:
        write_text(self.file, metrics_text(self.epochs))
