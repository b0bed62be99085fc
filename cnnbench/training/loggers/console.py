"""A bar on a terminal; elsewhere a line every so often."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnbench.runtime.progress import tqdm
from cnnbench.runtime.terminal import has_colour, wrapped
from cnnbench.training.loggers.logger import LoggedRun, Scope

BAR_EVERY = 1.0  # seconds between two looks at the loss for the bar
BAR = "{percentage:3.0f}%|{bar:12}| {desc}"  # what is cut off at a narrow window's edge comes last
WORTH_SAYING = 0.05  # share of the time that goes by waiting for data


class Console:
    def __init__(self, run: LoggedRun) -> None:
        self.run, self.bar, self.shown = run, None, time.monotonic()
        self.first: tuple[int, float] | None = None  # step of this start, and when it was done

    def scalars(self, scope: Scope, step: int, values: Mapping[str, Any]) -> None:
        if scope == "step":
            self._step(step, values)
        elif scope == "epoch":
            self.close()
            print(wrapped(f"{self._title(step)}: {_sentence(values)}", sys.stdout), flush=True)
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
        self.first = self.first or (step, time.monotonic())
        if self.bar is None and sys.stderr.isatty():
            colour = "cyan" if has_colour(sys.stderr) else None
            self.bar = tqdm(total=steps, initial=done - 1, desc=self._title(step), unit="step", leave=False,
                            dynamic_ncols=True, bar_format=BAR, colour=colour)  # fmt: skip
        if self.bar is not None:
            self.bar.update()
        if time.monotonic() - self.shown >= (BAR_EVERY if self.bar is not None else self.run.every):
            self.shown = time.monotonic()
            loss, speed, waited = float(values["loss"]), values["images_per_second"], values["data_wait"]
            if self.bar is not None:
                error = f", error {values['error']:.1f} %" if "error" in values else ""
                waits = f", {waited:.0%} waiting for data" if waited >= WORTH_SAYING else ""
                figures = f"loss {loss:.3f}{error}{self._left(step)}, {speed:.0f} images/s{waits}"
                self.bar.set_description_str(f"{self._title(step)}: {figures}", refresh=False)
            else:
                figures = f"loss {loss:.4f}, {speed:.0f} images/s, {waited:.0%} waiting for data"
                print(f"{self._title(step)}: step {done}/{steps}, {figures}", flush=True)

    def _left(self, step: int) -> str:
        """How long the whole run will still take, as fast as it went since the first step of this start."""
        first, start = self.first or (step, time.monotonic())
        if step == first:
            return ""
        seconds = (time.monotonic() - start) / (step - first) * (self.run.epochs * self.run.steps_per_epoch - step)
        return f", {tqdm.format_interval(seconds)} left"

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
