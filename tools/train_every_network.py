"""Train every network for a few steps on a few real images: python tools/train_every_network.py [KEY ...] > TABLE.md

Each network is trained by the command itself, `cnnbench train arch=KEY recipe=quick`, at the side that its file in
conf/arch/ states for the sample. The images are four of each class of the bundled sample for training, one for
validation. Prints a Markdown page; says on stderr what failed, and then ends with exit status 1.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from few_steps import Data, Trial, machine, train, try_each

from cnnbench.archs.registry import names

BATCH, STEPS = 10, 4
SANE = 3.0  # a fresh network guesses: its loss is about ln(classes), with auxiliary heads 1.4 or 1.6 times that


def head(data: Data) -> str:
    classes = data.classes
    return f"""# Every network trains

Written by `python tools/train_every_network.py`: {STEPS} steps of {BATCH} images of `recipe=quick` for each network, at
its `sample_image_size`, on a part of the bundled sample ({classes} classes: ln {classes} = {math.log(classes):.3f}).
Parameters are those at this image size and number of classes, auxiliary heads included; seconds are those of the whole
command; the loss of a network with auxiliary heads is the sum with theirs. ok: it ended well, every loss is finite, and
the first is within a factor of {SANE:g} of ln {classes}. Four steps show that a network runs, not how well it learns.

{machine()}

| network | image size | parameters | first loss | last loss | seconds | ok |
|---|---:|---:|---:|---:|---:|---|"""


def attempt(key: str, data: Data, run: Path) -> tuple[str, Trial, bool]:
    trial = train([f"arch={key}", "recipe=quick"], data, run)
    guess = math.log(data.classes)
    ok = trial.ok and guess / SANE < trial.losses[0] < guess * SANE
    result = run / "result.json"
    params = f"{json.loads(result.read_text())['params']:,}" if result.exists() else "-"
    cells = (key, trial.side, params, trial.first_and_last, f"{trial.seconds:.1f}", "yes" if ok else "NO")
    return f"| {' | '.join(map(str, cells))} |", trial, ok


if __name__ == "__main__":
    sys.exit(try_each(sys.argv[1:] or names(), BATCH, STEPS, head, attempt))
