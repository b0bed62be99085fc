"""`cnnbench describe recipe=NAME`: a recipe's values and their sources, its rate and image size over the epochs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from cnnbench.analysis.tables import Table, render
from cnnbench.config.analyse import DescribeRecipeConfig
from cnnbench.config.batch import expected_batch
from cnnbench.config.fields import shown, value_of
from cnnbench.config.image_size import keeps_to_one_size, training_image_sizes
from cnnbench.config.recipe_keys import operations
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.files import replacing, writing
from cnnbench.training.optimizers.build import scaled_learning_rate
from cnnbench.training.schedules import rate_factor

ROWS = 24  # most rows of the table of epochs
POINTS_PER_EPOCH = 20  # points of the plot per epoch


Ledger = Callable[[TrainConfig], dict[str, str]]  # config -> the source of each key that acts


def show_recipe(config: DescribeRecipeConfig, ledger: Ledger) -> None:
    """Print the values of a recipe, each with its source, and its course, and draw the course if `plot` is given."""
    tables = [values_table(config, ledger(config)), course_table(config)]
    if config.plot is not None:
        _plot(config, config.plot)
    print(render(tables, config.format))


def values_table(config: TrainConfig, sources: dict[str, str]) -> Table:
    """Every value that acts, with its source."""
    rows = [(name, _value(config, name), source or None) for name, source in sources.items()]
    title = f"recipe {config.recipe} for {config.arch.name}"
    about = [f"a section without a paper is of: {config.recipe_source}"] if config.recipe_source else []
    batch, optimizer = expected_batch(config), config.optimizer
    rate = f"full rate {scaled_learning_rate(optimizer, batch):g} at batch {batch}: {optimizer.lr:g} at "
    rate += f"{optimizer.base_batch}, scaling {optimizer.scaling}"
    return Table(title, {"key": "", "value": "", "source": ""}, rows, [*about, rate])


def _value(config: TrainConfig, name: str) -> str:
    if name == "augment":
        return " -> ".join(operations(config.augment))
    if name.startswith(OPTIONS):
        return shown(config.arch.options[name.removeprefix(OPTIONS)])
    return shown(value_of(config, name))


OPTIONS = "arch.options."


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
