"""One sentence for what Hydra or OmegaConf find wrong, with the nearest name that would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hydra.errors import MissingConfigException
from omegaconf import DictConfig

from cnnbench.config.fields import entries
from cnnbench.runtime.errors import UserError, nearest, reason

SHOWN_OPTIONS = 12  # options of a group that an error message lists
TWICE = re.compile(r"Multiple values for (\w+)\.|(\w+) appears more than once")  # in a list of defaults


def explain(error: Exception, schema: type) -> str:
    """One sentence for what Hydra or OmegaConf found wrong, or for what a resolver of ours said to them."""
    if ours := next((cause for cause in _causes(error) if isinstance(cause, UserError)), None):
        return str(ours)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = error.missing_cfg_file.rpartition("/")
        hint, few = nearest(option, error.options), len(error.options) <= SHOWN_OPTIONS
        rest = f"choose one of {', '.join(error.options)}" if few else "`cnnbench COMMAND --help` lists all"
        return f"{group} has no option '{option}'{hint}; {rest}"
    cause = error.__cause__ or error
    first = reason(cause)
    if match := re.match(r"Ambiguous value for argument '(.*)'", first):
        return f"{match[1]} has several values: add --multirun for a sweep, or write a list, as in key=[1,2]"
    if match := re.match(r"Could not override '([^']*)'", str(error)):
        parent = getattr(cause, "parent_node", None)
        return unknown_key(match[1], schema, _entries_of(parent) if isinstance(parent, DictConfig) else [])
    if match := TWICE.match(first):
        group = match[1] or match[2]
        return f"{group} is chosen twice: a recipe's file writes its values out, and cannot name one among its defaults"
    key = getattr(cause, "full_key", None)
    return f"{key}: {first[0].lower()}{first[1:]}" if key else first


def unknown_key(name: str, schema: type, siblings: Iterable[str] = ()) -> str:
    """'unknown key ...' with the nearest known key, found by its full name, its siblings, or its last part."""
    known = dict.fromkeys([*entries(schema), *siblings])
    if hint := nearest(name, known):
        return f"unknown key '{name}'{hint}"
    by_last: dict[str, str] = {full.rpartition(".")[2]: full for full in known}
    close = [by_last[word] for word in by_last if word == name.rpartition(".")[2]]
    hint = f", did you mean {close[0]}?" if close else nearest(name.rpartition(".")[2], by_last)
    return f"unknown key '{name}'{hint or '; `cnnbench COMMAND --help` lists them'}"


def _entries_of(node: DictConfig) -> list[str]:
    """Full names of what a node of the config holds."""
    return [node._get_full_key(str(entry)) for entry in node]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
