"""Where the figures of a run can go beside the terminal and metrics.jsonl: training/loggers/ has the loggers."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from cnnbench.runtime.errors import UserError

LOGGERS: dict[str, str] = {
    "tensorboard": "curves, augmented images, first filters, the config beside the final errors",
    "wandb": "the same on Weights & Biases; in files where there is no key or no network",
    "trace": "trace.json, a few steps of the loop by torch's profiler, and its costliest operators",
}
PACKAGES = {"wandb": "cnnbench[wandb]"}  # of loggers that need one that is not ours: what pip installs


def check_loggers(names: Iterable[str]) -> None:
    """Raise UserError for a logger whose package is not there."""
    for name in names:
        if name in PACKAGES and find_spec(name) is None:
            raise UserError(f"logger={name} needs a package that is not installed: pip install '{PACKAGES[name]}'")
