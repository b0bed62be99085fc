"""Train by every recipe for two steps on a few real images: python tools/train_every_recipe.py [RECIPE ...] > TABLE.md

Each recipe trains a network of its paper, or ResNet-50, by the command itself, `cnnbench train recipe=RECIPE arch=KEY`,
at the side that the network's file in conf/arch/ states for the sample. The images are two of each class of the bundled
sample for training, one for validation. Prints a Markdown page; says on stderr what failed, and then ends with exit
status 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from few_steps import Data, Trial, machine, train, try_each

from cnnbench.analysis.recipe_table import papers_first
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults, own_recipes
from cnnbench.cli.help import groups

BATCH, STEPS = 10, 2
# What cannot be as the recipe has it in a run of one epoch.
SHORTER = {
    **dict.fromkeys(("a1", "a2", "a3", "fast16", "cifar_fast"), ("schedule.warmup_epochs=1",)),
    "modern": ("schedule.warmup_epochs=1", "average.start_epoch=0"),
}


def head(data: Data) -> str:
    return f"""# Every recipe trains

Written by `python tools/train_every_recipe.py`: one epoch of {STEPS} steps of {BATCH} images by each recipe, with a
network that it is for, at the network's `sample_image_size`, on a part of the bundled sample ({data.classes} classes).
All else is the recipe's, but for the words beside it. The loss of a network with auxiliary heads is the sum with
theirs; binary cross-entropy is a mean over classes. ok: it ended well, and every loss is finite. Two steps show that a
recipe runs, not how well it trains.

{machine()}

| recipe | network | image size | first loss | last loss | changed | ok |
|---|---|---:|---:|---:|---|---|"""


def attempt(recipe: str, data: Data, run: Path) -> tuple[str, Trial, bool]:
    network = defaults(COMMANDS["describe recipe"], [f"recipe={recipe}"])["arch.name"]
    changed = SHORTER.get(recipe, ())
    trial = train([f"recipe={recipe}", f"arch={network}", *changed], data, run)
    words = " ".join(f"`{word}`" for word in changed)
    cells = (recipe, network, trial.side, trial.first_and_last, words, "yes" if trial.ok else "NO")
    return f"| {' | '.join(map(str, cells))} |", trial, trial.ok


def every() -> list[str]:
    """Those of papers first."""
    return papers_first(groups(COMMANDS["train"])["recipe"], own_recipes())


if __name__ == "__main__":
    sys.exit(try_each(sys.argv[1:] or every(), BATCH, STEPS, head, attempt))
