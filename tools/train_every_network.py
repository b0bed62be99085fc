"""Train every network for a few steps on a few real images: python tools/train_every_network.py [KEY ...] > TABLE.md

Each network is trained by the command itself, `cnnbench train arch=KEY recipe=quick`, at the side that its file in
conf/arch/ states for the sample. The images are four of each class of the bundled sample for training, one for
validation. Prints a Markdown page; says on stderr what failed, and then ends with exit status 1.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from cnnbench import archs
from cnnbench.commands import COMMANDS
from cnnbench.compose import defaults
from cnnbench.data.sample import sample_folder

BATCH, STEPS = 10, 4
IMAGES = {"train": STEPS, "val": 1}  # of each of the ten classes
SANE = 3.0  # a fresh network guesses: its loss is about ln(classes), with auxiliary heads 1.4 or 1.6 times that


def make_data(root: Path) -> int:
    """Copy a class-balanced part of the sample to `root`, as class folders; the number of classes."""
    for split, count in IMAGES.items():
        for folder in sorted((sample_folder() / split).iterdir()):
            (root / split / folder.name).mkdir(parents=True)
            for file in sorted(folder.iterdir())[:count]:
                shutil.copy(file, root / split / folder.name)
    return len(list((root / "train").iterdir()))


def train(key: str, data: Path, classes: int, folder: Path) -> tuple[str, bool]:
    """Train the network `key`; its line of the table, and whether all is well."""
    side = defaults(COMMANDS["train"], [f"arch={key}"])["arch.sample_image_size"]
    words = [f"arch={key}", "recipe=quick", f"data={data}", f"image_size={side}", f"run={folder}", "device=cpu"]
    words += [f"batch={BATCH}", "epochs=1", "processes=1", "data.workers=0", "log_every=0"]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "cnnbench", "train", *words], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    losses = [float(loss) for loss in re.findall(r": step \d+/\d+, loss (\S+),", done.stdout)]
    ok = done.returncode == 0 and len(losses) == STEPS and all(map(math.isfinite, losses))
    ok = ok and math.log(classes) / SANE < losses[0] < math.log(classes) * SANE
    if not ok:
        print(f"{key}: exit status {done.returncode}, losses {losses}\n{done.stderr}", file=sys.stderr)
    shown = f"{losses[0]:.3f} | {losses[-1]:.3f}" if losses else "- | -"
    result = folder / "result.json"
    params = f"{json.loads(result.read_text())['params']:,}" if result.exists() else "-"
    return f"| {key} | {side} | {params} | {shown} | {seconds:.1f} | {'yes' if ok else 'NO'} |", ok


def main(keys: list[str]) -> int:
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        data, run = Path(scratch, "data"), Path(scratch, "run")
        classes = make_data(data)
        print(f"""# Every network trains

Written by `python tools/train_every_network.py`: {STEPS} steps of {BATCH} images of `recipe=quick` for each network, at
its `sample_image_size`, on a part of the bundled sample ({classes} classes: ln {classes} = {math.log(classes):.3f}).
Parameters are those at this image size and number of classes, auxiliary heads included; seconds are those of the whole
command; the loss of a network with auxiliary heads is the sum with theirs. ok: it ended well, every loss is finite, and
the first is within a factor of {SANE:g} of ln {classes}. Four steps show that a network runs, not how well it learns.

{os.cpu_count()} cores ({platform.machine()}), CPU only, torch {torch.__version__}, Python {platform.python_version()}.

| network | image size | parameters | first loss | last loss | seconds | ok |
|---|---:|---:|---:|---:|---:|---|""")
        for key in keys or archs.names():
            line, ok = train(key, data, classes, run)
            failed += [] if ok else [key]
            print(line, flush=True)
            shutil.rmtree(run, ignore_errors=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
