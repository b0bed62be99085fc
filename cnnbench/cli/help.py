"""`cnnbench COMMAND --help`: usage, config groups, and every key with its value, unit and meaning."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnnbench.cli.command import Command
from cnnbench.cli.compose import defaults
from cnnbench.cli.options import conf_folders
from cnnbench.config.fields import entries

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

HELP_WIDTH = 110
COLUMN = 40


def command_help(command: Command, overrides: list[str]) -> str:
    """The help text of a command; values are those that `overrides` compose to."""
    values = defaults(command, overrides)
    lines = [
        f"cnnbench {command.name}: {command.summary}",
        "",
        f"usage: cnnbench {command.name} [key=value ...] [group=option ...] [option]",
        "",
        "examples:",
        *(f"  {example}" for example in command.examples),
        "",
        *_group_lines(command),
        "keys (with the value that this command line gives them):",
    ]
    for name, item in entries(command.schema).items():
        value = values[name]
        shown = name if hasattr(value, "keys") else f"{name}={'null' if value is None else _plain(value)}"
        lines += _entry(shown, _meaning(item))
        for kind, about in (item.metadata["kinds"] or {}).items():
            acting = f" ({', '.join(about.keys)})" if about.keys else ""
            lines += _entry(f"    {kind}", f"{about.help}{acting}")
        if name == "arch.options":
            lines += [f"    {option}={_plain(setting)}" for option, setting in value.items()]
    lines += [
        *(["  * may change when a run is continued"] if command.makes_run else []),
        "",
        "options:",
        *_entry("--cfg job", "print the resolved config and leave"),
        *_entry("--multirun, -m", "sweep: every combination of comma-separated values, as in seed=0,1,2"),
        *_entry(
            "--info", "what Hydra composes from where [all | config | defaults | defaults-tree | plugins | searchpath]"
        ),
        *_entry("--config-dir DIR", "a folder of your own with further groups and options"),
        *_entry("--hydra-help", "Hydra's own options and keys"),
        *_entry("--help", "this text; overrides beside it change the values shown"),
    ]
    return "\n".join(lines)


def _meaning(item: dataclasses.Field) -> str:
    """What a key means; behind it its choices, where they have no lines of their own, and its mark."""
    about = item.metadata
    choices = f" [{' | '.join(about['choices'])}]" if about["choices"] and not about["kinds"] else ""
    return about["help"] + choices + about["note"]


def _group_lines(command: Command) -> list[str]:
    lines = [line for name, options in groups(command).items() for line in _entry(name, ", ".join(options), column=14)]
    return ["groups (files of values, chosen with group=option):", *lines, ""] if lines else []


def groups(command: Command) -> dict[str, list[str]]:
    """Each folder of conf/ that this command has a key for, with its options."""
    known = entries(command.schema)
    found: dict[str, set[str]] = {}
    for conf in conf_folders():
        for folder in conf.iterdir():
            if folder.is_dir() and folder.name in known:
                found.setdefault(folder.name, set()).update(_options(folder))
    return {name: sorted(found[name]) for name in sorted(found)}


def _options(folder: Traversable, prefix: str = "") -> Iterator[str]:
    """The files of values in `folder` and below, as NAME or FOLDER/NAME."""
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _options(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name[:-5]


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")


def _entry(left: str, right: str, column: int = COLUMN) -> list[str]:
    """`left` and, from `column` on, `right` wrapped beside it, or below where `left` is too long."""
    wrapped = textwrap.wrap(right, HELP_WIDTH - column)
    if len(left) > column - 4:
        return [f"  {left}", *(" " * column + line for line in wrapped)]
    return [f"  {left:<{column - 2}}{wrapped[0]}", *(" " * column + line for line in wrapped[1:])]
