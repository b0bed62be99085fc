"""The protocol of loggers: what each does with the figures and pictures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from cnnbench.runs.results import EpochMetrics

Scope = Literal["step", "epoch", "final"]  # what figures are of: one optimiser step, an epoch, the whole run


@dataclass(frozen=True)
class LoggedRun:
    """What a logger knows of its run at a start. `epoch` and `step` (of the whole run) were saved: what was logged
    after them, before a kill, comes again. `history`: what was logged of each epoch so far. `every`: seconds between
    two lines of progress where there is no terminal."""

    folder: Path
    epochs: int
    steps_per_epoch: int
    epoch: int = 0
    step: int = 0
    every: float = 10
    history: Sequence[EpochMetrics] = ()


class Logger(Protocol):
    """Where figures and pictures of a run go. `step` counts optimiser steps over the whole run."""

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        """Figures by name: of every step, those of a step; of an epoch, its line of metrics.jsonl (runs/results.py).

        A value may be a scalar tensor on the training device: reading it waits for the device, so not at every step.
        """

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        """A picture: uint8 or floats in 0 to 1, (H, W) or (H, W, 3)."""

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        """What makes the run what it is, by dotted key, beside its final errors in percent."""

    def close(self) -> None:
        """Write what is left."""
