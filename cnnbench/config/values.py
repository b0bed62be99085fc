"""Checks of single values: each raises UserError if a value is wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

from cnnbench.runtime.errors import UserError, nearest


def check_range(
    name: str,
    value: float | None,
    low: float,
    high: float = float("inf"),
    below: float = float("inf"),
    open_low: bool = False,
) -> None:
    """Raise UserError unless low <= value <= high and value < below; None passes."""
    if value is None:
        return
    if (low < value if open_low else low <= value) and value <= high and value < below:
        return
    bounds = [f"above {low:g}" if open_low else f"at least {low:g}"]
    bounds += [f"at most {high:g}"] if high < float("inf") else []
    bounds += [f"below {below:g}"] if below < float("inf") else []
    raise UserError(f"{name}={value} is out of range: it must be {' and '.join(bounds)}")


def check_acting(group: str, config: Any, keys: dict[str, tuple[str, ...]]) -> None:
    """Raise UserError for a key that is set, though it acts with other kinds only: it would be passed over unseen."""
    kinds: dict[str, list[str]] = {}
    for kind, names in keys.items():
        for name in names:
            kinds.setdefault(name, []).append(kind)
    for item in dataclasses.fields(config):
        default = item.default if item.default is not dataclasses.MISSING else item.default_factory()
        value = getattr(config, item.name)
        require(
            value == default or config.kind in kinds.get(item.name, keys),
            f"{group}.{item.name}={plain(value)} does nothing with {group}.kind={config.kind}, only with "
            f"{', '.join(kinds.get(item.name, []))}: set {group}.{item.name}={plain(default)}, or choose a whole file "
            f"by {group.partition('.')[0]}=NAME",
        )


def check_choices(config: Any, prefix: str = "") -> None:
    """Raise UserError for a value, in the config or in a group of it, that is none of its key's choices."""
    for item in dataclasses.fields(config):
        value, choices = getattr(config, item.name), item.metadata["choices"]
        if dataclasses.is_dataclass(value):
            check_choices(value, f"{prefix}{item.name}.")
        elif choices and not (value is None and item.default is None):
            for each in value if isinstance(value, list) else [value]:
                if each not in choices:
                    hint = nearest(str(each), choices)
                    raise UserError(f"{prefix}{item.name}={each} is unknown{hint}; choose one of {', '.join(choices)}")


def require(condition: bool, sentence: str) -> None:
    if not condition:
        raise UserError(sentence)


def shown(value: Any) -> str:
    """A value as YAML has it where Python has another word: null, true, false; else as Python prints it."""
    return plain(value) if value is None or isinstance(value, bool) else str(value)


def plain(value: Any) -> str:
    """A value as it is written on the command line."""
    return "null" if value is None else str(value).lower().replace(" ", "")
