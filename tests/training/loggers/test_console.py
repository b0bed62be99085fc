"""What a terminal shows while a network trains."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from cnnbench.runtime.progress import tqdm
from cnnbench.training.loggers import console
from cnnbench.training.loggers.console import Console
from cnnbench.training.loggers.logger import LoggedRun

FIGURES = {"loss": 2.5, "error": 71.25, "images_per_second": 100.0, "data_wait": 0.02}


class Bar:
    """Stands for tqdm's: keeps what it is asked for."""

    made: ClassVar[list[Bar]] = []

    def __init__(self, **settings: object) -> None:
        self.settings, self.steps, self.closed = settings, 0, False
        self.made.append(self)

    format_interval = staticmethod(tqdm.format_interval)

    def update(self) -> None:
        self.steps += 1

    def set_description_str(self, text: str, refresh: bool) -> None:
        self.text = text

    def close(self) -> None:
        self.closed = True


def test_a_bar_counts_the_steps_of_an_epoch_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(console, "tqdm", Bar)
    monkeypatch.setattr(console, "BAR_EVERY", 0)
    monkeypatch.setattr(console.time, "monotonic", lambda: 10.0 * len(done))
    done: list[int] = []
    log = Console(LoggedRun(Path("runs/x"), 9, 5, 2, 12, 60))
    for step in (13, 14, 15):
        done.append(step)
        log.scalars("step", step, FIGURES)
    (bar,) = Bar.made
    shown = {"total": 5, "initial": 2, "desc": "epoch 3/9", "unit": "step"}
    assert {name: bar.settings[name] for name in shown} == shown
    assert bar.settings["dynamic_ncols"], "as wide as the window, also once it changes"
    assert (bar.steps, bar.closed) == (3, False)
    assert bar.text == "epoch 3/9: loss 2.500, error 71.2 %, 05:00 left, 100 images/s", (
        "30 steps are left, at ten seconds each"
    )
    log.scalars("step", 16, FIGURES | {"data_wait": 0.3})
    assert Bar.made[0].text.endswith(", 30% waiting for data")
    log.close()
    assert bar.closed
