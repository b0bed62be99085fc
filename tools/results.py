"""Trains every network of the zoo on real images, small ones, and writes the errors beside the published ones.

    python tools/results.py train --folder runs/zoo [KEY ...]   # hours; goes on where it was stopped
    python tools/results.py page --folder runs/zoo              # docs/results.md, docs/results.csv

The images are a fifth of the bundled sample of Fashion-MNIST, 2,000 of ten classes, at the smallest side of SIDES that
the network takes. All networks are trained by AdamW, ILSVRC's without batch normalisation at a smaller rate, and for as
many epochs, 1 to MOST_EPOCHS, as BUDGET multiply-adds of forward passes pay for, or as `--epochs` says. `--precision
bf16` is for processors with instructions for it; on others it is many times as slow. The page keeps the lines of
networks that the folder does not hold.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

import torch

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.describe.network import describe
from cnnbench.analysis.tables import Table, render
from cnnbench.archs.facts import facts, headline
from cnnbench.archs.registry import build, names, options_of
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runs.config import load_config

SIDES = (32, 64)  # pixels; else the side that conf/arch/ states for the sample
SMALLER = {"wrn28_10": 16, "resnext29_8x64d": 16}  # 5 billion multiply-adds at the 32 pixels of their papers
IMAGES, MOST_EPOCHS, BUDGET = 2000, 10, 150e9
UNNORMALISED = ("alexnet", "alexnet_tv", "zfnet", "vgg11", "vgg13", "vgg16", "vgg19", "googlenet")
RATE, SMALLER_RATE = 1e-3, 3e-4  # optimizer.lr; the latter of ILSVRC's networks without batch normalisation
WORDS = [
    "recipe=quick",
    "optimizer=adamw",
    "data.train_fraction=0.2",
    "batch=20",
    "device=cpu",
    "processes=1",
    "data.workers=0",
    "evaluate_every=1000",
    "log_every=1000",
]
ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "page"))
    parser.add_argument("keys", nargs="*", metavar="KEY")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--epochs", type=int, help="instead of as many as BUDGET pays for")
    options = parser.parse_intermixed_args()
    keys = options.keys or names()
    if options.what == "train":
        for key in keys:
            train(key, options.folder / key, options.precision, options.epochs)
    else:
        rows = kept() | {key: row for key in keys if (row := _row(key, options.folder / key)) is not None}
        write_page([rows[key] for key in names() if key in rows])


def train(key: str, folder: Path, precision: str, epochs: int | None) -> None:
    """Train one network by the command itself, unless it is complete."""
    if (folder / "result.json").exists():
        return
    size, macs = size_and_cost(key)
    rate = SMALLER_RATE if key in UNNORMALISED else RATE
    words = [*WORDS, f"precision={precision}", f"arch={key}", f"image_size={size}", f"optimizer.lr={rate:g}"]
    words.append(f"epochs={epochs or paid_epochs(macs)}")
    command = [sys.executable, "-m", "cnnbench", "train", *words, f"run={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    result = json.loads((folder / "result.json").read_text())
    print(f"{key}: top-1 error {result['top1_error']:.2f} %, {result['training_seconds']:.0f} s", flush=True)


def size_and_cost(key: str) -> tuple[int, int]:
    """Side in pixels, and multiply-adds of one image."""
    own = defaults(COMMANDS["train"], [f"arch={key}"])["arch"]["sample_image_size"]
    for size in (SMALLER[key],) if key in SMALLER else (*(side for side in SIDES if side < own), own):
        known = {"image_size": size} if "image_size" in options_of(key) else {}
        try:
            with torch.device("meta"):
                return size, describe(build(key, 10, **known), size).totals.macs
        except ValueError:  # too small for this network
            continue
    raise AssertionError(f"{key} does not take its own sample_image_size")


def paid_epochs(macs: int) -> int:
    return min(MOST_EPOCHS, max(1, round(BUDGET / (macs * IMAGES))))


def _row(key: str, folder: Path) -> dict[str, Any] | None:
    """What a finished run gives to the table, or None."""
    if not (folder / "result.json").exists():
        return None
    result, (size, macs) = json.loads((folder / "result.json").read_text()), size_and_cost(key)
    low, high = wilson_interval(result["wrong_top1"], result["n"])
    published, config = headline(facts(key)), load_config(folder)
    return {
        "network": key,
        "side": size,
        "MACs (M)": macs / 1e6,
        "parameters (M)": result["params"] / 1e6,
        "precision": config.precision,
        "rate": config.optimizer.lr,
        "epochs": result["epoch"],
        "wrong": result["wrong_top1"],
        "top-1 error (%)": result["top1_error"],
        "from": low,
        "to": high,
        "top-5 error (%)": result["top5_error"],
        "published top-1 (%)": published and published["top1_err"],
        "published top-5 (%)": published and published["top5_err"],
        "published on": published and published["split"],
        "by": published and published.get("protocol", "single crop"),
    }


def kept() -> dict[str, dict[str, Any]]:
    """The lines of docs/results.csv."""
    with open(ROOT / "docs/results.csv", newline="") as file:
        return {row["network"]: {name: _number(text) for name, text in row.items()} for row in csv.DictReader(file)}


def results_table(rows: list[dict[str, Any]]) -> Table:
    """The table of docs/results.md, and of docs/results.csv."""
    formats = {
        "MACs (M)": ".0f",
        "rate": "g",
        "parameters (M)": ".2f",
        **dict.fromkeys(("top-1 error (%)", "from", "to", "top-5 error (%)"), ".2f"),
        **dict.fromkeys(("published top-1 (%)", "published top-5 (%)"), ".2f"),
    }
    columns = {name: formats.get(name, "") for name in rows[0]}
    return Table("", columns, [list(row.values()) for row in rows])


def not_trained(done: Container[str]) -> str:
    """The networks of the zoo that have no line."""
    return ", ".join(key for key in names() if key not in done) or "none"


def write_page(rows: list[dict[str, Any]]) -> None:
    """docs/results.md and docs/results.csv."""
    table = results_table(rows)
    words, done = " ".join(WORDS), {row["network"] for row in rows}
    left_out = not_trained(done)
    (ROOT / "docs/results.csv").write_text(render(table, "csv") + "\n")
    (ROOT / "docs/results.md").write_text(f"""# Every network, trained on real images

Written by `python tools/results.py page` from the runs of `python tools/results.py train`: {len(rows)} networks,
each by `cnnbench train arch=KEY {words}` with side, precision, rate (optimizer.lr) and epochs of its line.
{machine_line()}.

{IMAGES:,} training and 2,000 validation images of Fashion-MNIST, the bundled sample. The epochs are those that
{BUDGET / 1e9:.0f} billion multiply-adds of forward passes pay for, 1 to {MOST_EPOCHS}, or what `--epochs` said: **a
network with one epoch, 100 steps, has only begun to learn**, and a small network may beat a large one here for no other
reason. The published errors are of other images, mostly ILSVRC's, and of full recipes: they stand beside for the order
that the papers found, not as a mark that was missed. from, to: 95 % interval (Wilson) of the top-1 error. MACs:
multiply-adds of one image at this side. Lines may be of different days and processors, by precision above all.
Not trained: {left_out}.

{render(table, "markdown").strip()}
""")


def _number(text: str) -> str | float | int | None:
    """A cell of a CSV file as it was."""
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text or None


if __name__ == "__main__":
    main()
