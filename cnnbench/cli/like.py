"""`cnnbench train like=RUN seed=1`: the words that make the run again, and after them what is to be another."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from cnnbench.cli.command import Command
from cnnbench.cli.compose import defaults
from cnnbench.cli.words import typed_keys
from cnnbench.config.fields import entries, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import run_folder
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import leads
from cnnbench.runtime.shell import quoted

GROUPS = ("arch", "recipe", "ladder", "debug")  # whole files of values, named in the config
KEY = "like="


def repeated(command: Command, words: list[str]) -> list[str]:
    """`words`, in full, with like=RUN written out: the run's network and recipe, the keys in which it is not them, and
    last the other words; the leader of a group says them. UserError if there is no such run, or `like` comes twice."""
    given = [word.removeprefix(KEY) for word in words if word.startswith(KEY)]
    if not given or not issubclass(command.schema, TrainConfig):
        return words
    if len(given) > 1:
        raise UserError(f"like={given[0]} and like={given[1]} exclude each other: name one run")
    own = [word for word in words if not word.startswith(KEY)]
    theirs, known = list(words_of(command, load_config(run_folder(given[0])))), {*typed_keys(own)}
    kept = [word for word, key in zip(theirs, typed_keys(theirs), strict=True) if key not in known]
    if leads(os.environ):
        print(f"{'like':<12}{given[0]}: {' '.join([*kept, *own])}", file=sys.stderr)  # --cfg prints YAML alone
    return [*kept, *own]


def words_of(command: Command, config: TrainConfig) -> Iterator[str]:
    """The overrides that compose to `config`: its groups, and every key that they leave otherwise."""
    names = {"arch": config.arch.name, "recipe": config.recipe, "ladder": config.ladder, "debug": config.debug}
    groups = [f"{group}={name}" for group, name in names.items() if name is not None]
    yield from groups
    composed = defaults(command, groups)
    for name, item in entries(TrainConfig).items():
        value = value_of(config, name)
        derived = name == "recipe_batch" and config.batch is not None
        if derived or name in ("run", "arch.name", *GROUPS) or dataclasses.is_dataclass(item.default_factory):
            continue
        before = composed[name]
        plain: Any = OmegaConf.to_container(before) if OmegaConf.is_config(before) else before
        if isinstance(value, dict):
            yield from (f"{name}.{key}={_typed(one)}" for key, one in value.items() if plain.get(key) != one)
        elif value != plain:
            yield f"{name}={_typed(value)}"


def _typed(value: Any) -> str:
    """A value as Hydra reads it."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
