"""Plain against residual networks of 20 and 56 layers, on real images: does depth hurt the plain ones?

    python tools/plain_residual.py --folder runs/plain-residual     # half an hour on one core; goes on where it stopped

He et al. 2016, section 4.2 and Figure 6, at a size that two cores can bear: half of the bundled sample of Fashion-MNIST
at 16 pixels, 24 epochs. Writes docs/plain-residual.md and docs/plain-residual.png.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cnnbench.analysis.bench.output import machine_line
from cnnbench.analysis.report.plots import draw_plots
from cnnbench.analysis.report.run import Run, read_run
from cnnbench.analysis.tables import Table, render
from cnnbench.evaluation.statistics import wilson_interval

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
WORDS = ["image_size=16", "epochs=24", "schedule.milestones=[12,18]", "data.train_fraction=0.5", "batch=64"]
WORDS += ["data.workers=0", "processes=1", "device=cpu", "precision=float32", "log_every=600"]
DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    folder = parser.parse_args().folder
    for name in NETWORKS:
        train(name, folder / name)
    write_page([replace(read_run(str(folder.resolve() / name)), name=name) for name in NETWORKS], folder)


def train(name: str, run: Path) -> None:
    """Train one of the networks by the command itself."""
    words = ["train", "ladder=plain_residual", f"step={name}", *WORDS, f"run={run}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "cnnbench", *words], capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"cnnbench {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def write_page(runs: list[Run], folder: Path) -> None:
    """The page and its picture."""
    (picture,) = [each for each in draw_plots(runs, folder, []) if each.name == "plain-and-residual"]
    assert picture.file is not None, picture.missing
    shutil.copy(picture.file, DOCS / "plain-residual.png")
    columns = {"network": "", "training loss": ".4f", "top-1 error (%)": ".2f", "from": ".2f", "to": ".2f"}
    rows = []
    for run in runs:
        wrong, images = run.result["wrong_top1"], run.result["n"]
        last = run.metrics[-1]
        rows.append(
            (run.name.rpartition("/")[2], last["train_loss"], last["top1_error"], *wilson_interval(wrong, images))
        )
    (DOCS / "plain-residual.md").write_text(f"""# Plain against residual networks

Written by `python tools/plain_residual.py`: four runs of `cnnbench train ladder=plain_residual step=NETWORK
{" ".join(WORDS)}`.
{machine_line()}.

{render(Table("", columns, rows), "markdown").strip()}

After the last epoch; from, to: 95 % interval (Wilson). The learning rate is divided by ten twice, as in the paper.

![Training loss and validation error by epoch](plain-residual.png)

{verdict(runs)}
""")


def verdict(runs: list[Run]) -> str:
    """What depth does to the training loss: where it raises it, the paper speaks of degradation."""
    losses = {run.name: run.metrics[-1]["train_loss"] for run in runs}
    costs = {kind: losses[f"{kind}56"] - losses[f"{kind}20"] for kind in ("plain", "resnet")}
    return (
        f"The training loss of 56 layers less that of 20 is {costs['plain']:+.3f} for the plain networks and "
        f"{costs['resnet']:+.3f} for the residual ones. In the paper, after 164 epochs on CIFAR-10, it is above zero "
        "for the plain ones alone. Here it is one seed, and 24 epochs of 5,000 smaller images."
    )


if __name__ == "__main__":
    main()
