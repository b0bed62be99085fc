"""Averages of weights, and statistics of batch normalisation for them, side by side on the bundled sample.

    python tools/averages.py runs/averages     # a quarter of an hour on one core; goes on where it stopped

Four runs for each seed, of the same weights: an average never enters the training. What differs is the average, the
exponential one of the Inception papers' code or the plain mean from the first epoch on, and its statistics, averaged
like the weights or computed anew over training images. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.tables import Table, render

SEEDS = (0, 1, 2)
NETWORK = ["arch=resnet20", "recipe=quick", "image_size=16", "data.train_fraction=0.5"]
WORDS = [*NETWORK, "evaluate_every=8", "data.workers=0", "processes=1", "device=cpu", "log_every=600"]
AVERAGES = {"exponential": "ema", "mean from epoch 1 on": "polyak"}
STATISTICS = {"averaged": "null", "computed anew": "2048"}  # of batch normalisation, for the averaged weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = []
    for average, kind in AVERAGES.items():
        for statistics, images in STATISTICS.items():
            words = [f"average={kind}", f"average.precise_bn={images}"]
            results = [trained(folder / f"{kind}-{images}-{seed}", seed, words) for seed in SEEDS]
            last = [100 * result["wrong_top1"] / result["n"] for result in results]
            averaged = [100 * result["averaged_wrong_top1"] / result["n"] for result in results]
            gain = sum(averaged) / len(SEEDS) - sum(last) / len(SEEDS)
            each = ", ".join(f"{error:.2f}" for error in averaged)
            rows.append((average, statistics, sum(last) / len(SEEDS), sum(averaged) / len(SEEDS), gain, each))
    columns = {"average": "", "statistics": "", "last weights %": ".2f", "averaged weights %": ".2f"}
    columns |= {"difference": "+.2f", "averaged, by seed": ""}
    notes = [f"cnnbench train {' '.join(WORDS)}, seeds {', '.join(map(str, SEEDS))}", machine_line()]
    print(render(Table("", columns, rows, notes), "markdown"))


def trained(run: Path, seed: int, words: list[str]) -> dict[str, int]:
    """The result of a run, made if it is not there."""
    line = [sys.executable, "-m", "cnnbench", "train", f"run={run}", f"seed={seed}", *WORDS, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(line, check=True, env=environment, stdout=subprocess.DEVNULL)
    return json.loads((run / "result.json").read_text())


if __name__ == "__main__":
    main()
