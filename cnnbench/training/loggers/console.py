"""A bar on a terminal; elsewhere a line every so often."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnbench.runtime.progress import tqdm
from cnnbench.training.loggers.logger import LoggedRun, Scope

BAR_EVERY = 1.0  # seconds between two looks at the loss for the bar


class Console:
    def __init__(self, run: LoggedRun) -> None:
        self.run, self.bar, self.shown = run, None, time.monotonic()

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope == "step":
            self._step(step, values)
        elif scope == "epoch":
            self.close()
            print(f"{self._title(step)}: {_sentence(values)}", flush=True)
            self.shown = time.monotonic()

    def images(self, step: int, name: str, picture: np.ndarray) -> None:
        """A terminal shows no pictures."""

    def hparams(self, values: Mapping[str, str | float | bool], errors: Mapping[str, float]) -> None:
        """The banner and the table of the result tell them."""

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _step(self, step: int, values: Mapping[str, Any]) -> None:
        steps = self.run.steps_per_epoch
        done = (step - 1) % steps + 1
        if self.bar is None and sys.stderr.isatty():
            title = self._title(step)
            self.bar = tqdm(total=steps, initial=done - 1, desc=title, unit="step", leave=False, dynamic_ncols=True)
        if self.bar is not None:
            self.bar.update()
        if time.monotonic() - self.shown >= (BAR_EVERY if self.bar is not None else self.run.every):
            self.shown = time.monotonic()
            speed, waited = values["images_per_second"], values["data_wait"]
            figures = f"loss {float(values['loss']):.4f}, {speed:.0f} images/s, {waited:.0%} waiting for data"
            if self.bar is not None:
                self.bar.set_postfix_str(figures)
            else:
                print(f"{self._title(step)}: step {done}/{steps}, {figures}", flush=True)

    def _title(self, step: int) -> str:
        return f"epoch {(step - 1) // self.run.steps_per_epoch + 1}/{self.run.epochs}"


def _sentence(metrics: Mapping[str, Any]) -> str:
    parts = [f"train loss {metrics['train_loss']:.4f}, error {metrics['train_top1_error']:.2f} %"]
    if "top1_error" in metrics:
        parts.append(f"top-1 error {metrics['top1_error']:.2f} %, top-5 error {metrics['top5_error']:.2f} %")
    if "averaged_top1_error" in metrics:
        parts.append(f"averaged {metrics['averaged_top1_error']:.2f} and {metrics['averaged_top5_error']:.2f} %")
    if "holdout_top1_error" in metrics:
        parts.append(f"held out {metrics['holdout_top1_error']:.2f} and {metrics['holdout_top5_error']:.2f} %")
    speed = f"{metrics['images_per_second']:.0f} images/s, {metrics['data_wait']:.0%} waiting for data"
    needed, supplied = metrics["images_per_second_needed"], metrics["images_per_second_supplied"]
    parts.append(f"{speed} (needs {needed:.0f}/s, workers can supply {supplied:.0f}/s)")
    return ", ".join(parts)
