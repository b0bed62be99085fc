"""What a run tells: a bar or lines on the terminal, metrics.jsonl, and TensorBoard."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from cnnbench.runtime.files import write_text
from cnnbench.runtime.progress import tqdm

SCALARS_EVERY = 50  # steps between two points of TensorBoard's training curves
# Figures of an epoch that the clock decides: no two runs share them.
CLOCK = (
    "images_per_second",
    "images_per_second_needed",
    "images_per_second_supplied",
    "data_wait",
    "training_seconds",
    "evaluation_seconds",
    "elapsed_seconds",
)


class Log:
    """The leader's log. Loss values stay on the device until they are shown."""

    def __init__(self, folder: Path, every: float, epoch: int, step: int) -> None:
        """Log into `folder`, a line every `every` seconds where there is no terminal; points of an earlier start at or
        after (epoch, global step) are dropped, since they will be computed again."""
        self.metrics = folder / "metrics.jsonl"
        self._keep_before(epoch)
        self.board = SummaryWriter(folder / "tensorboard", purge_step=step)
        self.every, self.bar, self.shown = every, None, time.monotonic()

    def start_epoch(self, title: str, done: int, steps: int) -> None:
        self.title, self.steps = title, steps
        if sys.stderr.isatty():
            self.bar = tqdm(total=steps, initial=done, desc=title, unit="step", leave=False, dynamic_ncols=True)

    def step(self, done: int, global_step: int, loss: torch.Tensor, rate: float, speed: float, waited: float) -> None:
        """After optimiser step `done` of this epoch: its loss and learning rate, and so far in this epoch images/s and
        the share of time waited for data. Reads `loss` from the device only when it shows something."""
        if global_step % SCALARS_EVERY == 0:
            self.scalars(
                global_step,
                {
                    "train/step_loss": loss.item(),
                    "train/rate": rate,
                    "speed/images_per_second": speed,
                    "speed/data_wait": waited,
                },
            )
        if self.bar is not None:
            self.bar.update()
        if time.monotonic() - self.shown >= (1 if self.bar is not None else self.every):
            self.shown = time.monotonic()
            figures = f"loss {loss.item():.4f}, {speed:.0f} images/s, {waited:.0%} waiting for data"
            if self.bar is not None:
                self.bar.set_postfix_str(figures)
            else:
                print(f"{self.title}: step {done}/{self.steps}, {figures}", flush=True)

    def end_epoch(self, global_step: int, metrics: dict[str, float | int]) -> None:
        """Close the epoch's bar, print its line, and add `metrics` to metrics.jsonl and TensorBoard."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        print(f"{self.title}: {_sentence(metrics)}", flush=True)
        with open(self.metrics, "a") as file:
            file.write(json.dumps(metrics) + "\n")
        self.scalars(global_step, {BOARD_NAMES[name]: metrics[name] for name in BOARD_NAMES if name in metrics})
        self.shown = time.monotonic()

    def say(self, sentence: str) -> None:
        """Print a line without breaking the bar."""
        tqdm.write(sentence)
        sys.stdout.flush()

    def scalars(self, global_step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.board.add_scalar(name, value, global_step)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.board.close()

    def _keep_before(self, epoch: int) -> None:
        if self.metrics.exists():
            lines = self.metrics.read_text().splitlines()[:epoch]  # one line per epoch; a crash may have cut the last
            write_text(self.metrics, "".join(f"{line}\n" for line in lines))


BOARD_NAMES = {
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


def _sentence(metrics: dict[str, float | int]) -> str:
    parts = [f"train loss {metrics['train_loss']:.4f}"]
    if "top1_error" in metrics:
        parts.append(f"top-1 error {metrics['top1_error']:.2f} %, top-5 error {metrics['top5_error']:.2f} %")
    if "averaged_top1_error" in metrics:
        parts.append(f"averaged {metrics['averaged_top1_error']:.2f} and {metrics['averaged_top5_error']:.2f} %")
    speed = f"{metrics['images_per_second']:.0f} images/s, {metrics['data_wait']:.0%} waiting for data"
    needed, supplied = metrics["images_per_second_needed"], metrics["images_per_second_supplied"]
    parts.append(f"{speed} (needs {needed:.0f}/s, workers can supply {supplied:.0f}/s)")
    return ", ".join(parts)
