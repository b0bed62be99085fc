"""`cnnbench recipes`: every recipe in a line. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cnnbench.analysis.tables import Cell, Table

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


def recipe_table(names: Iterable[str], own: dict[str, str | None], compose: Callable[[str], dict[str, Any]]) -> Table:
    """A row for each recipe, those of papers first; `own` is each network's recipe, and `compose` gives the value of
    every key for a recipe, with a network of it."""
    rows = []
    for name in papers_first(names, own):
        networks = [network for network, recipe in own.items() if recipe == name]
        rows.append(_row(name, _few(networks), compose(name)))
    notes = [
        "the rate is that at the batch beside it, and follows the batch that is trained with, in proportion or as the "
        "optimiser's scaling says",
        "the batch is global; where it does not split evenly over processes x accumulate, and no batch= is given, the "
        "nearest that does takes its place",
        "conf/recipe/NAME.yaml has every value with its source, and says which the paper does not state",
    ]
    return Table("", RECIPE_COLUMNS, rows, notes)


def papers_first(names: Iterable[str], own: dict[str, str | None]) -> list[str]:
    """The recipes `names`, those that are some network's own in front."""
    return sorted(names, key=lambda name: name not in own.values())


def _few(networks: list[str]) -> str:
    """The first of many networks, and how many more there are."""
    more = len(networks) - SHOWN_NETWORKS
    return ", ".join(networks) if more <= 1 else f"{', '.join(networks[:SHOWN_NETWORKS])} and {more} more"


def _row(name: str, networks: str, values: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        name,
        networks,
        values["optimizer.kind"] + ", Nesterov" * values["optimizer.nesterov"],
        values["optimizer.lr"],
        values["optimizer.base_batch"],
        _schedule(values),
        values["optimizer.weight_decay"],
        values["epochs"],
        values["recipe_batch"],
        values["augment.crop.kind"],
        values["protocol"],
        values["recipe_source"],
    )


def _schedule(values: dict[str, Any]) -> str:
    kind, gamma, every = (values[f"schedule.{name}"] for name in ("kind", "gamma", "step_epochs"))
    forms = {
        "step": f"x {gamma:g} every {every:.3g}",
        "multi_step": f"x {gamma:g} at {', '.join(f'{epoch:g}' for epoch in values['schedule.milestones'])}",
        "plateau": f"x {gamma:g} at plateaus, {values['schedule.most']} times",
    }
    warmup = values["schedule.warmup_epochs"]
    return forms.get(kind, kind) + (f", warm-up {warmup:g}" if warmup else "")
