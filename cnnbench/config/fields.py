"""How a key of the configuration is written: its meaning with the unit, its default, and what it may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from cnnbench.config.written import Written, check_written
from cnnbench.runtime.errors import UserError, nearest

MAY_CHANGE = "*"  # keys that may change when a run is continued; the help text explains the mark
AUTO = "auto"  # the value of a key that is measured or tried where a run begins
INFINITY = float("inf")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Range:
    """Numbers from `at_least` on (or above `above`), to `at_most` (or below `below`)."""

    at_least: float = -INFINITY
    at_most: float = INFINITY
    above: float = -INFINITY
    below: float = INFINITY

    def holds(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def __str__(self) -> str:
        parts = {"above": self.above, "at least": self.at_least, "at most": self.at_most, "below": self.below}
        return " and ".join(f"{words} {_exact(bound)}" for words, bound in parts.items() if abs(bound) < INFINITY)


def _exact(number: float) -> str:
    """`number` in few digits, or in all where few would be another."""
    short = f"{number:g}"
    return short if float(short) == number else str(number)


LAST_SEED = 2**64 - 1  # of torch's and numpy's generators
SEED = Range(at_least=0, at_most=LAST_SEED)
SHARE = Range(at_least=0, at_most=1)  # probabilities too


@dataclass(frozen=True)
class Kind:
    """One of the kinds that a group of keys has: what it is, in a line, and the keys of the group that act with it,
    beside those that act with every kind."""

    help: str
    keys: tuple[str, ...] = ()


def key(
    help: str,
    default: Any = "???",
    *,
    choices: Iterable[str] = (),
    kinds: Mapping[str, Kind] | None = None,
    range: Range | None = None,
    note: str = "",
    source: str = "",
    words: Iterable[str] = (),
    written: Written | None = None,
) -> Any:
    """A field of the schema. `help` names the unit; "???" means that the YAML files give the value. `kinds` are
    choices with a line of help each; of a list `choices` and `range` are for its items. `source`: why a recipe that
    does not state the key has its default; "": each recipe has to state it. `words`: what may stand for a whole
    number. `written`: of a name, what is written there."""
    choices = tuple(choices or kinds or ())
    metadata: dict[str, Any] = {"help": help, "choices": choices, "kinds": kinds, "range": range}
    metadata |= {"note": note, "source": source, "words": tuple(words), "written": written}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def group(cls: type, help: str) -> Any:
    """A field that holds a whole group of keys."""
    return field(default_factory=cls, metadata={"help": help, "choices": (), "kinds": None, "range": None, "note": ""})


def entries(schema: type, prefix: str = "") -> dict[str, dataclasses.Field]:
    """Every key below `schema` by its full dotted name, groups included."""
    found: dict[str, dataclasses.Field] = {}
    groups = _groups(schema)
    for item in dataclasses.fields(schema):
        found[prefix + item.name] = item
        if item.name in groups:
            found |= entries(groups[item.name], f"{prefix}{item.name}.")
    return found


def value_of(config: Any, name: str) -> Any:
    """The value of the key with the full dotted name `name`."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def from_dict(schema: type, values: dict[str, Any]) -> Any:
    """The dataclass `schema` from the nested dict that dataclasses.asdict made of it; TypeError for other keys."""
    groups = _groups(schema)
    settings = {
        name: from_dict(groups[name], value) if name in groups and value is not None else value
        for name, value in values.items()
    }
    return schema(**settings)


def check_types(config: Any) -> None:
    """Raise TypeError for the first value, in the config or in a group of it, of a type that its field does not take: a
    file may hold anything. Of lists and dicts the items are not looked at."""
    hints = get_type_hints(type(config))
    for item in dataclasses.fields(config):
        value, hint = getattr(config, item.name), hints[item.name]
        if dataclasses.is_dataclass(value):
            check_types(value)
            continue
        kinds = tuple(get_origin(each) or each for each in (get_args(hint) if isinstance(hint, UnionType) else [hint]))
        kinds += (int,) if float in kinds else ()
        if Any not in kinds and type(value) not in kinds:
            raise TypeError(f"{item.name} is {value!r:.60}")


def check_fields(config: Any, prefix: str = "") -> None:
    """Raise UserError for the first value, in the config or in a group of it, that its field does not allow."""
    for item in dataclasses.fields(config):
        value, name = getattr(config, item.name), prefix + item.name
        if dataclasses.is_dataclass(value):
            check_fields(value, f"{name}.")
        elif isinstance(value, list):
            for number, each in enumerate(value):
                _check_value(f"{name}[{number}]", each, item)
        elif value is not None or item.default is not None:
            _check_value(name, value, item)


def check_acting(group: str, config: Any, kinds: Mapping[str, Kind]) -> None:
    """Raise UserError for a key that is set, though it acts with other kinds only: it would be passed over unseen."""
    acting: dict[str, list[str]] = {}
    for kind, about in kinds.items():
        for name in about.keys:
            acting.setdefault(name, []).append(kind)
    for item in dataclasses.fields(config):
        value, default = getattr(config, item.name), default_of(item)
        if value != default and config.kind not in acting.get(item.name, kinds):
            raise UserError(
                f"{group}.{item.name}={plain(value)} does nothing with {group}.kind={config.kind}, only with "
                f"{', '.join(acting[item.name])}: set {group}.{item.name}={plain(default)}, or choose a whole file by "
                f"{group.partition('.')[0]}=NAME"
            )


def require(condition: object, sentence: str) -> None:
    """Raise UserError with `sentence` unless `condition`."""
    if not condition:
        raise UserError(sentence)


def given(value: Value | None, sentence: str) -> Value:
    """`value`; UserError with `sentence` if it is None."""
    if value is None:
        raise UserError(sentence)
    return value


def default_of(item: dataclasses.Field) -> Any:
    """The value of a field that nobody sets."""
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def shown(value: Any) -> str:
    """A value as YAML has it where Python has another word: null, true, false; else as Python prints it."""
    return plain(value) if value is None or isinstance(value, bool) else str(value)


def plain(value: Any) -> str:
    """A value as it is written on the command line."""
    return "null" if value is None else str(value).lower().replace(" ", "")


@cache
def _groups(schema: type) -> dict[str, type]:
    """The fields of `schema` that hold a dataclass, also behind `| None`, and that dataclass."""
    found: dict[str, type] = {}
    for name, hint in get_type_hints(schema).items():
        for each in get_args(hint) or (hint,):
            if isinstance(each, type) and dataclasses.is_dataclass(each):
                found[name] = each
    return found


def _check_value(name: str, value: Any, item: dataclasses.Field) -> None:
    choices, allowed = item.metadata["choices"], item.metadata["range"]
    if choices and value not in choices:
        name, hint = name.partition("[")[0], nearest(str(value), choices)
        raise UserError(f"{name}={value} is unknown{hint}; choose one of {', '.join(choices)}")
    if words := item.metadata.get("words"):
        if value in words:
            return
        if value is not None and type(value) is not int:
            raise UserError(f"{name}={plain(value)}: give a whole number, or {' or '.join(words)}")
    if value is not None and (written := item.metadata.get("written")):
        check_written(name, value, written)
    if allowed is not None and value is not None and not allowed.holds(value):
        raise UserError(f"{name}={value} is out of range: it must be {allowed}")
