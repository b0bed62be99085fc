"""A few training steps by the real command on a few real images; what tools/train_every_*.py share."""

from __future__ import annotations

import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.data.sample.sample import sample_folder


@dataclass(frozen=True)
class Data:
    """Class folders in `path`: so many images of each class that an epoch has `steps` steps of `batch`."""

    path: Path
    classes: int
    batch: int
    steps: int


@dataclass(frozen=True)
class Trial:
    """One run of the command; `losses` of each step. ok: it ended well, after all its steps, every loss finite."""

    status: int
    losses: list[float]
    stderr: str
    seconds: float
    side: int
    ok: bool

    @property
    def first_and_last(self) -> str:
        """Two cells of a table."""
        return f"{self.losses[0]:.3f} | {self.losses[-1]:.3f}" if self.losses else "- | -"


def train(words: list[str], data: Data, run: Path) -> Trial:
    """Train the run `run` for an epoch by `cnnbench train WORDS`, at the side that the network's file states for the
    sample."""
    side = defaults(COMMANDS["train"], words)["arch.sample_image_size"]
    words = [*words, f"data={data.path}", f"image_size={side}", f"run={run}", "device=cpu", "processes=1"]
    words += [f"batch={data.batch}", "epochs=1", "data.workers=0", "log_every=0"]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "cnnbench", "train", *words], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    losses = [float(loss) for loss in re.findall(r": step \d+/\d+, loss (\S+),", done.stdout)]
    ok = done.returncode == 0 and len(losses) == data.steps and all(map(math.isfinite, losses))
    return Trial(done.returncode, losses, done.stderr, seconds, side, ok)


def try_each(
    names: Iterable[str],
    batch: int,
    steps: int,
    head: Callable[[Data], str],
    attempt: Callable[[str, Data, Path], tuple[str, Trial, bool]],
) -> int:
    """Print the `head` of a page, then what `attempt` makes of each name: a line, the trial, and whether all is well.
    What failed is said on stderr; the exit status."""
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        data, run = _make_data(Path(scratch, "data"), batch, steps), Path(scratch, "run")
        print(head(data), flush=True)
        for name in names:
            line, trial, ok = attempt(name, data, run)
            if not ok:
                failed.append(name)
                print(f"{name}: exit status {trial.status}, losses {trial.losses}\n{trial.stderr}", file=sys.stderr)
            print(line, flush=True)
            shutil.rmtree(run, ignore_errors=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def machine() -> str:
    """What it ran on, as a sentence."""
    cores = f"{os.cpu_count()} cores ({platform.machine()})"
    return f"{cores}, CPU only, torch {torch.__version__}, Python {platform.python_version()}."


def _make_data(root: Path, batch: int, steps: int) -> Data:
    """Copy a class-balanced part of the sample to `root`: `batch` x `steps` training images, one a class in val."""
    classes = len(list((sample_folder() / "train").iterdir()))
    for split, count in {"train": batch * steps // classes, "val": 1}.items():
        for folder in sorted((sample_folder() / split).iterdir()):
            (root / split / folder.name).mkdir(parents=True)
            for file in sorted(folder.iterdir())[:count]:
                shutil.copy(file, root / split / folder.name)
    return Data(root, classes, batch, steps)
