"""`cnnbench describe recipe=NAME`: what a recipe sets, and the rate and the image size over its epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from cnnbench.analysis.tables import Table, render
from cnnbench.config.analyse import DescribeRecipeConfig
from cnnbench.config.average import AVERAGES
from cnnbench.config.batch import expected_batch
from cnnbench.config.fields import Kind, shown
from cnnbench.config.image_size import keeps_to_one_size, training_image_sizes
from cnnbench.config.optimizer import OPTIMIZERS
from cnnbench.config.schedule import SCHEDULES
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.files import replacing, writing
from cnnbench.training.optimizers.build import scaled_learning_rate
from cnnbench.training.schedules import rate_factor

ROWS = 24  # most rows of the table of epochs
POINTS_PER_EPOCH = 20  # points of the plot per epoch


def show_recipe(config: DescribeRecipeConfig) -> None:
    """Print the values of a recipe and its course, and draw the course if `plot` is given."""
    tables = [values_table(config), course_table(config)]
    if config.plot is not None:
        _plot(config, config.plot)
    print(render(tables, config.format))


def values_table(config: TrainConfig) -> Table:
    """Every value that acts."""
    rows = [
        ("epochs", shown(config.epochs)),
        ("batch", shown(expected_batch(config))),
        *((name, shown(getattr(config, name))) for name in ("loss", "label_smoothing")),
        *((name, shown(value)) for name in LIMITS if (value := getattr(config, name)) is not None),
        *_acting("optimizer", config.optimizer, OPTIMIZERS, OPTIMIZER_ALWAYS),
        *_acting("schedule", config.schedule, SCHEDULES, ("warmup", "warmup_epochs", "warmup_start")),
        *_acting("average", config.average, AVERAGES),
        *((f"arch.{name}", shown(getattr(config.arch, name))) for name in ARCH),
        ("augment", " -> ".join(_operations(config))),
    ]
    title = f"recipe {config.recipe} for {config.arch.name}"
    source = [f"source: {config.recipe_source}"] if config.recipe_source else []
    rate, optimizer = scaled_learning_rate(config.optimizer, expected_batch(config)), config.optimizer
    scale = f"full rate {rate:g}: {optimizer.lr:g} at batch {optimizer.base_batch}, scaling {optimizer.scaling}"
    return Table(title, {"key": "", "value": ""}, rows, [*source, scale])


LIMITS = ("bce_threshold", "clip_norm", "filter_radius")
OPTIMIZER_ALWAYS = ("lr", "base_batch", "scaling", "weight_decay", "decay_norms", "decay_biases")
ARCH = ("crop_ratio", "dropout", "stochastic_depth")


def course_table(config: TrainConfig) -> Table:
    """The rate at the start of an epoch, and the side of its images; epochs alike are one row."""
    rates, sides = _rates(config, 1), training_image_sizes(config)
    rows = []
    for (rate, size), same in groupby(range(config.epochs), key=lambda epoch: (rates[epoch], sides[epoch])):
        epochs = [epoch + 1 for epoch in same]
        rows.append((str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} - {epochs[-1]}", rate, size))
    total = len(rows)
    if total > ROWS:
        rows = [rows[round(i * (total - 1) / (ROWS - 1))] for i in range(ROWS)]
    notes = [f"{ROWS} of {total} rows"] if total > ROWS else []
    if config.schedule.kind == "plateau":
        notes.append("plateau: the rate falls when the validation error stalls, at epochs that are not known before")
    if keeps_to_one_size(config):
        notes.append(f"{config.arch.name} takes one side only, so that it is trained and tested at it")
    return Table("rate and image size", {"epoch": "", "rate": ".4g", "training side": "d"}, rows, notes)


def _rates(config: TrainConfig, points: int) -> list[float]:
    """The rate at `points` points of every epoch, the first at its start."""
    full, steps = scaled_learning_rate(config.optimizer, expected_batch(config)), range(config.epochs * points)
    return [full * rate_factor(config.schedule, step, points, config.epochs) for step in steps]


def _acting(group: str, values: Any, kinds: Mapping[str, Kind], always: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The keys of a group that act with its kind, each with its value."""
    names = ("kind", *always, *kinds[values.kind].keys)
    return [(f"{group}.{name}", shown(getattr(values, name))) for name in names]


def _operations(config: TrainConfig) -> list[str]:
    """The operations that act, in their order, and then the mixing of images."""
    augment = config.augment
    fields = [
        item.name for item in dataclasses.fields(augment) if dataclasses.is_dataclass(getattr(augment, item.name))
    ]
    names = [*augment.order, *(name for name in fields if name not in augment.order)]
    acting = [f"crop({augment.crop.kind})" if name == "crop" else name for name in names if _acts(augment, name)]
    return [*acting, *([f"{augment.repeats} repeats"] if getattr(augment, "repeats", 1) > 1 else [])]


def _acts(augment: Any, name: str) -> bool:
    return name == "crop" or getattr(getattr(augment, name), "p", 0) > 0


def _plot(config: DescribeRecipeConfig, file: str) -> None:
    from matplotlib.figure import Figure  # slow to import, and most calls ask for no plot

    rates, sides = _rates(config, POINTS_PER_EPOCH), training_image_sizes(config)
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([step / POINTS_PER_EPOCH for step in range(len(rates))], rates)
    above.set(ylabel="learning rate", title=f"{config.recipe}, {config.arch.name}, batch {expected_batch(config)}")
    above.set_ylim(bottom=0)
    below.stairs(sides, range(config.epochs + 1), baseline=None)
    below.set(xlabel="epoch", ylabel="side (pixels)", xlim=(0, config.epochs), ylim=(0, 1.15 * max(sides)))
    with writing(file), replacing(Path(file).expanduser()) as scratch:
        figure.savefig(scratch, dpi=120)
