"""Tables of exact values under tests/golden/, which only `python tools/golden.py` writes: a change of one is seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from composing import composed

from cnnbench.archs.registry import names
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults, own_recipes
from cnnbench.cli.help import groups
from cnnbench.config import recipes
from cnnbench.config.fields import entries, value_of
from cnnbench.config.train import TrainConfig

FOLDER = Path(__file__).parents[1] / "golden"
OF_EACH_KIND = ("lenet", "alexnet", "vgg16_bn", "googlenet", "inception_v3")  # for recipes of any network
Values = dict[str, Any]


def networks(recipe: str) -> list[str]:
    """The networks that a recipe is for, its first one in front; of a recipe for all of them some of each kind."""
    first = first_network(recipe)
    patterns = composed(f"recipe={recipe}", f"arch={first}").recipe_for
    fitting = [name for name in names() if recipes.fits(name, patterns)] if patterns else OF_EACH_KIND
    own = [name for name, its in own_recipes().items() if its == recipe]
    return list(dict.fromkeys([first, *fitting, *own]))


@cache
def first_network(recipe: str) -> str:
    """The network that stands for a recipe."""
    return defaults(COMMANDS["describe recipe"], [f"recipe={recipe}"])["arch.name"]


def values(config: TrainConfig) -> Values:
    """Every key of `config` by its full dotted name, with its plain value."""
    found = {name: value_of(config, name) for name in entries(TrainConfig)}
    return {name: value for name, value in found.items() if not is_dataclass(value)}


def recipe_table() -> dict[str, Any]:
    """Each recipe with its networks, and each row of a ladder: the values of a pair are what all have, then what the
    network has by its own recipe, then what the recipe has, then the rest."""
    chosen = {
        recipe: {name: values(composed(f"recipe={recipe}", f"arch={name}")) for name in networks(recipe)}
        for recipe in groups(COMMANDS["train"])["recipe"]
    }
    for name in groups(COMMANDS["train"])["ladder"]:
        ladder, row = name.split("/")
        chosen[name] = {"its own": values(composed(f"ladder={ladder}", f"step={row}"))}
    common = _shared(of for each in chosen.values() for of in each.values())
    own = {name: _of_network(chosen[its][name], common) for name, its in own_recipes().items()}
    table = {"common": common, "networks": own, "recipes": {}}
    for recipe, each in chosen.items():
        shared = _without(_shared(each.values()), common)
        rest = {name: _without(of, common | own.get(name, {}) | shared) for name, of in each.items()}
        table["recipes"][recipe] = {"common": shared, "networks": rest}
    return table


def expected(recipe: str) -> dict[str, Values]:
    """The values of a recipe, or of a ladder's row, for each of its networks, as the table has them."""
    table = _read("recipes")
    shared, each = table["recipes"][recipe].values()
    own = table["networks"]
    return {name: table["common"] | own.get(name, {}) | shared | rest for name, rest in each.items()}


TABLES: dict[str, Callable[[], dict[str, Any]]] = {"recipes": recipe_table}


def write(name: str) -> None:
    """Make the table `name` anew."""
    (FOLDER / f"{name}.json").write_text(_text(TABLES[name]()) + "\n")


@cache
def _read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def _shared(each: Iterable[Values]) -> Values:
    """The values that all have."""
    first, *others = each
    return {key: value for key, value in first.items() if all(of[key] == value for of in others)}


def _without(of: Values, those: Values) -> Values:
    """The values that `those` do not have."""
    return {key: value for key, value in of.items() if key not in those or those[key] != value}


def _of_network(of: Values, common: Values) -> Values:
    return {key: value for key, value in _without(of, common).items() if key.startswith("arch.")}


def _text(value: Any, indent: str = "") -> str:
    """JSON with sorted keys, a line for each value, and one for each network of a recipe."""
    if not isinstance(value, dict) or not value or len(indent) == 4 or (len(indent) == 2 and "networks" not in value):
        return json.dumps(value, sort_keys=True)
    inner = indent + " "
    lines = [f"{inner}{json.dumps(name)}: {_text(value[name], inner)}" for name in sorted(value)]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
