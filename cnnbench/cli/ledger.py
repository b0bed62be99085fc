"""The ledger of a recipe: for every value, what the file that states it says of its source, at the value's line."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from cnnbench.cli.resolvers import repository
from cnnbench.config.fields import default_of, entries, value_of
from cnnbench.config.recipe_keys import acting_keys
from cnnbench.config.sources import sources
from cnnbench.config.train import TrainConfig

CHANGED = "not the recipe's: given here"


@dataclass(frozen=True)
class Stated:
    """A value as a file has it (a reference to other values as it is written), and its source, "" where it has none."""

    value: Any
    source: str


def ledger(config: TrainConfig) -> dict[str, str]:
    """The source of each key that acts in `config`, by its dotted name; "" where none is stated. Hydra has to be
    initialised."""
    if not repository().config_exists(f"recipe/{config.recipe}"):  # in a folder that only --config-dir names
        return dict.fromkeys(acting_keys(config), "")
    known, fields = stated(config.arch.name, config.recipe, config.ladder), entries(TrainConfig)
    return {name: _source(name, config, known, fields) for name in acting_keys(config)}


def _source(name: str, config: TrainConfig, known: dict[str, Stated], fields: dict[str, Any]) -> str:
    if name == "augment":  # the choice of operations, which is no value of its own
        return known[name].source if name in known else ""
    value = _option(name, config) if name.startswith("arch.options.") else value_of(config, name)
    if name in known:
        wanted = known[name].value
        same = wanted == value or (isinstance(wanted, str) and "${" in wanted)
        return known[name].source if same else CHANGED
    item = fields.get(name)
    if item is None or value != default_of(item):
        return CHANGED
    return item.metadata["source"]


def _option(name: str, config: TrainConfig) -> Any:
    return config.arch.options[name.removeprefix("arch.options.")]


def stated(arch: str, recipe: str, ladder: str | None) -> dict[str, Stated]:
    """What the files of a network, of a recipe and of a ladder's row state of each key, by its dotted name; of several
    files the last. Hydra has to be initialised."""
    found = {f"arch.{name}": each for name, each in _of_file(f"arch/{arch}").items()} | _of_file(f"recipe/{recipe}")
    return found | _of_file(f"ladder/{ladder}") if ladder else found


def _of_file(path: str) -> dict[str, Stated]:
    """What a file states, and before it those that it builds on."""
    file = repository().load_config(path)
    if file is None:
        return {}
    found: dict[str, Stated] = {}
    own, defaults = _own(path, file.config), file.defaults_list or []
    for below in defaults:
        if below.is_self():
            found |= own
        elif not below.is_override() and below.get_name() is not None:
            below.update_parent(posixpath.dirname(path), "")
            found |= _of_file(below.get_config_path())
    return found if any(below.is_self() for below in defaults) else found | own  # last where its place is not said


def _own(path: str, content: Any) -> dict[str, Stated]:
    said = sources(_text(path))
    values = dict(_leaves(OmegaConf.to_container(content)))
    return {name: Stated(values.get(name), said.get(name, "")) for name in {**values, **said}}


def _leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(path: str) -> str:
    """The file `path` as it is written; Hydra's own reading of it has no comments."""
    for source in repository().get_sources():
        if source.is_config(path) and source.scheme() == "file":
            return (Path(source.path) / f"{path}.yaml").read_text(encoding="utf-8")
        if source.is_config(path) and source.scheme() == "pkg":
            return files(source.path.replace("/", ".")).joinpath(f"{path}.yaml").read_text(encoding="utf-8")
    return ""
