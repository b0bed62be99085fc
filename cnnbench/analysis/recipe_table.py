"""`cnnbench recipes`: every recipe in a line. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from cnnbench.analysis.tables import Cell, Table
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig

SHOWN_NETWORKS = 4  # networks of a recipe, where there are many

RECIPE_COLUMNS = {
    "recipe": "",
    "of the papers of": "",
    "optimiser": "",
    "rate": "g",
    "at batch": "d",
    "schedule": "",
    "weight decay": "g",
    "epochs": "d",
    "batch": "d",
    "crop": "",
    "tested by": "",
    "source": "",
}


def recipe_table(recipes: Iterable[TrainConfig], own: dict[str, str | None]) -> Table:
    """A row for each of `recipes`, composed with a network of it; `own` is each network's recipe."""
    rows = []
    for config in recipes:
        networks = [network for network, recipe in own.items() if recipe == config.recipe]
        rows.append(_row(config, _few(networks)))
    notes = [
        "the rate is that at the batch beside it, and follows the batch that is trained with, in proportion or as the "
        "optimiser's scaling says",
        "the batch is global; where it does not split evenly over processes x accumulate, and no batch= is given, the "
        "nearest that does takes its place",
        "every value with its source: `cnnbench recipes sources=true`, or of one `cnnbench describe recipe=NAME`",
    ]
    return Table("", RECIPE_COLUMNS, rows, notes)


def papers_first(names: Iterable[str], own: dict[str, str | None]) -> list[str]:
    """The recipes `names`, those that are some network's own in front."""
    return sorted(names, key=lambda name: name not in own.values())


def _few(networks: list[str]) -> str:
    """The first of many networks, and how many more there are."""
    more = len(networks) - SHOWN_NETWORKS
    return ", ".join(networks) if more <= 1 else f"{', '.join(networks[:SHOWN_NETWORKS])} and {more} more"


def _row(config: TrainConfig, networks: str) -> tuple[Cell, ...]:
    optimizer = config.optimizer
    return (
        config.recipe,
        networks,
        optimizer.kind + ", Nesterov" * optimizer.nesterov,
        optimizer.lr,
        optimizer.base_batch,
        _schedule(config.schedule),
        optimizer.weight_decay,
        config.epochs,
        config.recipe_batch,
        config.augment.crop.kind,
        config.protocol,
        config.recipe_source,
    )


def _schedule(schedule: ScheduleConfig) -> str:
    forms = {
        "step": f"x {schedule.gamma:g} every {schedule.step_epochs:.3g}",
        "multi_step": f"x {schedule.gamma:g} at {', '.join(f'{epoch:g}' for epoch in schedule.milestones)}",
        "plateau": f"x {schedule.gamma:g} at plateaus, {schedule.most} times",
    }
    warmup = schedule.warmup_epochs
    return forms.get(schedule.kind, schedule.kind) + (f", warm-up {warmup:g}" if warmup else "")
