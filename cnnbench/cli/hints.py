"""One sentence for what Hydra or OmegaConf find wrong, with the nearest name that would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields, is_dataclass

from hydra.errors import MissingConfigException
from omegaconf import DictConfig

from cnnbench.cli.options import options_of_group
from cnnbench.config.fields import entries, plain
from cnnbench.runtime.errors import UserError, nearest, reason

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "bool | str": "true, false or a word",
    "str": "one word or text",
    "list[str]": "a list of names",
    "list[int]": "a list of whole numbers",
    "list[float]": "a list of numbers",
    "dict[str, Any]": "keys with values, as in {a:1}",
}
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
        full = getattr(cause, "full_key", None) or match[1]
        inner = full if full.startswith(f"{match[1]}.") else match[1]  # of augment={a:1} it is augment.a
        return unknown_key(inner, schema, _entries_of(parent) if isinstance(parent, DictConfig) else [])
    if match := TWICE.match(first):
        group = match[1] or match[2]
        return f"{group} is chosen twice: a recipe's file writes its values out, and cannot name one among its defaults"
    key = getattr(cause, "full_key", None)
    if key in (known := entries(schema)):
        return _wrong_type(key, getattr(cause, "value", None), known[key])
    return f"{key}: {first[0].lower()}{first[1:]}" if key else first


def _wrong_type(key: str, value: object, item: Field) -> str:
    """The sentence for a value of a type that the key does not take."""
    said = key if value is None else f"{key}={plain(value)} is not possible: it"
    if is_dataclass(item.default_factory):
        return f"{said} is a group of keys, such as {key}.{fields(item.default_factory)[0].name}"
    kind = str(item.type).removesuffix(" | None")
    items = ["A", "B"] if value is None else [plain(value)]
    example = f", as in {key}=[{','.join(items)}]" if kind.startswith("list") else ""
    whole = f", as in {key}={value:.0f}" if kind == "int" and isinstance(value, float) and value % 1 == 0 else ""
    empty = " or null" if str(item.type).endswith("None") else ""
    return f"{said} takes {TYPES[kind]}{empty}{example}{whole}"


def wrong_choice(word: str, schema: type) -> str | None:
    """The sentence for a group of files that is given no name; None for another word."""
    key, _, value = word.lstrip("+~").partition("=")
    if not options_of_group(key) or key not in entries(schema) or value in options_of_group(key):
        return None
    return f"{key}={value} is not possible: it takes the name of a file of values, one of {few(options_of_group(key))}"


def few(options: list[str]) -> str:
    """Some of `options`, of the many that there may be."""
    more = ", ..." if len(options) > SHOWN_OPTIONS else ""
    return ", ".join(options[:SHOWN_OPTIONS]) + more


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
