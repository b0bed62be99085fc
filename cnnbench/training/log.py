"""The leader's log: every logger of a run at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnbench.runtime.implementations import Implementations
from cnnbench.runtime.progress import tqdm
from cnnbench.training.loggers.console import Console
from cnnbench.training.loggers.json_lines import JsonLines
from cnnbench.training.loggers.logger import LoggedRun, Logger, Scope
from cnnbench.training.loggers.tensorboard import TensorBoard
from cnnbench.training.loggers.trace import Trace
from cnnbench.training.loggers.wandb import WandB

ALWAYS: tuple[Callable[[LoggedRun], Logger], ...] = (Console, JsonLines)


class Log:
    """Hands everything to each of its loggers; itself one."""

    def __init__(self, run: LoggedRun, chosen: Sequence[str]) -> None:
        self.loggers = [make(run) for make in (*ALWAYS, *(CHOSEN[name] for name in chosen))]

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        for logger in self.loggers:
            logger.scalars(scope, step, values)

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        for logger in self.loggers:
            logger.images(step, name, picture)

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        for logger in self.loggers:
            logger.hparams(values, errors)

    def close(self) -> None:
        for logger in self.loggers:
            logger.close()

    def say(self, sentence: str) -> None:
        """Print a line without breaking the bar."""
        tqdm.write(sentence)
        sys.stdout.flush()


# The keys are those of config.loggers.LOGGERS.
CHOSEN: Implementations[Callable[[LoggedRun], Logger]] = Implementations(
    "CHOSEN in cnnbench/training/log.py",
    {"tensorboard": TensorBoard, "trace": Trace, "wandb": WandB},
)
