"""metrics.jsonl: a line for each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnbench.runs.results import METRICS
from cnnbench.runtime.files import write_text
from cnnbench.training.loggers.logger import LoggedRun, Scope


class JsonLines:
    def __init__(self, run: LoggedRun) -> None:
        """Lines of epochs that will be trained again are dropped; a kill may have cut the last."""
        self.file = run.folder / METRICS
        if self.file.exists():
            lines = self.file.read_text().splitlines()[: run.epoch]
            write_text(self.file, "".join(f"{line}\n" for line in lines))

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope == "epoch":
            with open(self.file, "a") as file:
                file.write(json.dumps(dict(values)) + "\n")

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        """Figures only."""

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        """config.yaml and result.json hold them."""

    def close(self) -> None:
        """Nothing stays open between two lines."""
