"""How a key of the configuration is written: its meaning, with the unit, its default and what it may be."""

from __future__ import annotations

from dataclasses import field
from typing import Any

MAY_CHANGE = "*"  # keys that may change when a run is continued; the help text explains the mark


def key(help: str, default: Any = "???", *, choices: tuple[str, ...] = (), note: str = "") -> Any:
    """A field of the schema. `help` names the unit; "???" means that the YAML files give the value."""
    metadata = {"help": help, "choices": choices, "note": note}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def group(cls: type, help: str) -> Any:
    """A field that holds a whole group of keys."""
    return field(default_factory=cls, metadata={"help": help, "choices": (), "note": ""})
