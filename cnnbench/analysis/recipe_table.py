"""`cnnbench recipes`: every recipe in a line. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cnnbench.analysis.tables import Cell, Table
from cnnbench.recipes import PAPERS, first_network

COLUMNS = {
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


def recipe_table(names: Iterable[str], compose: Callable[[list[str]], dict[str, Any]]) -> Table:
    """A row for each recipe, those of papers first; `compose` gives the value of every key for some overrides."""
    order = [*PAPERS, *(name for name in names if name not in PAPERS)]
    rows = [_row(name, compose([f"recipe={name}", f"arch={first_network(name)}"])) for name in order]
    notes = [
        "the rate is that at the batch beside it, and follows the batch that is trained with, in proportion or as the "
        "optimiser's scaling says",
        "the batch is global; where it does not split evenly over processes x accumulate, and no batch= is given, the "
        "nearest that does takes its place",
        "conf/recipe/NAME.yaml has every value with its source, and says which the paper does not state",
    ]
    return Table("", COLUMNS, rows, notes)


def _row(name: str, values: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        name,
        ", ".join(PAPERS.get(name, ())),
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
