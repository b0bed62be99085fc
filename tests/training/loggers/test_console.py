"""What a terminal shows while a network trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from cnnbench.training.loggers import console
from cnnbench.training.loggers.console import Console
from cnnbench.training.loggers.logger import LoggedRun

FIGURES = {"loss": 2.5, "images_per_second": 100.0, "data_wait": 0.02}


class Bar:
    """Stands for tqdm's: keeps what it is asked for."""

    made: ClassVar[list[Bar]] = []

    def __init__(self, **settings: object) -> None:
        self.settings, self.steps, self.closed = settings, 0, False
        self.made.append(self)

    def update(self) -> None:
        self.steps += 1

    def set_postfix_str(self, text: str) -> None:
        self.text = text

    def close(self) -> None:
        self.closed = True


def test_a_bar_counts_the_steps_of_an_epoch_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(console, "tqdm", Bar)
    monkeypatch.setattr(console, "BAR_EVERY", 0)
    log = Console(LoggedRun(Path("runs/x"), 9, 5, 2, 12, 60))
    for step in (13, 14, 15):
        log.scalars("step", step, FIGURES)
    (bar,) = Bar.made
    shown = {"total": 5, "initial": 2, "desc": "epoch 3/9", "unit": "step"}
    assert bar.settings == shown | {"leave": False, "dynamic_ncols": True}, (
        "as wide as the window, also once it changes"
    )
    assert (bar.steps, bar.text, bar.closed) == (3, "loss 2.5000, 100 images/s, 2% waiting for data", False)
    log.close()
    assert bar.closed
