"""Weights & Biases (the package wandb): the curves and pictures of TensorBoard, on its server or in files."""

from __future__ import annotations

import netrc
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cnnbench.runs.config import load_config
from cnnbench.runs.paths import run_name
from cnnbench.runtime.errors import reason
from cnnbench.runtime.files import read_text, write_text
from cnnbench.training.loggers.logger import LoggedRun, Scope
from cnnbench.training.loggers.tags import points

ID = "wandb-id.txt"  # in the run's folder: the record that a continued run continues
STEP = "step"  # the axis of every curve: what is logged again after a kill lies where it lay
SERVER = "https://api.wandb.ai"
SECONDS = 30  # that its server may take to answer


class WandB:
    """Without a key, and where the server does not answer, the record is kept in files, and how to send them is said.

    WANDB_PROJECT, WANDB_MODE and the package's other variables act; the project is cnnbench by default.
    """

    def __init__(self, run: LoggedRun) -> None:
        self.wandb, self.run = import_module("wandb"), run  # which takes a second: only where it is asked for
        self.record = self._begin("online" if _has_key() else "offline")
        self.record.define_metric("*", step_metric=STEP)

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if found := points(scope, step, values):
            self.record.log({**found, STEP: step})

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        self.record.log({name: self.wandb.Image(picture), STEP: step})

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        self.record.summary.update(dict(errors))

    def close(self) -> None:
        folder, offline = Path(self.record.dir).parent, self.record.settings.mode == "offline"
        self.record.finish()
        if offline:
            print(f"wandb       kept in files: `wandb sync {folder}` sends them", flush=True)

    def _begin(self, mode: str) -> Any:
        """The record of the run, begun or continued; in files where it cannot be had on the server."""
        settings = self.wandb.Settings(init_timeout=SECONDS, silent=True, console="off")
        try:
            return self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", "cnnbench"),
                id=_id(self.run.folder),
                name=run_name(self.run.folder),
                dir=str(self.run.folder),
                config=asdict(load_config(self.run.folder)),
                resume="allow" if mode == "online" else None,
                mode=os.environ.get("WANDB_MODE", mode),
                settings=settings,
            )
        except self.wandb.errors.CommError as error:
            print(f"warning: wandb's server does not answer ({reason(error)}): the record is kept in files", flush=True)
            return self._begin("offline")


def _has_key() -> bool:
    """Whether the user has logged in, as `wandb login` writes it down."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", SERVER)).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _id(folder: Path) -> str:
    """The record's own name, made at the first start and kept in the run's folder."""
    known = (read_text(folder / ID) or "").strip()
    if not known:
        known = uuid.uuid4().hex
        write_text(folder / ID, known + "\n")
    return known
