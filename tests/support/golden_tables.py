"""Tables under tests/golden/ of what every network and every command is; `python tools/golden.py` writes them.

networks.json holds what is published of each network except errors, and its preprocessing and recipe as
composed; help.json holds the keys of each command. tests/config/test_config.py and tests/test_golden.py compare them.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cnnbench.archs.facts import facts
from cnnbench.archs.registry import names
from cnnbench.cli.command import Command
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.config.fields import entries

GOLDEN = Path(__file__).parents[1] / "golden"
ERRORS = ("key", "results", "weights")  # of the facts: its own name, and what holds published errors
PREPROCESSING = (
    *("image_size", "smallest_image", "sample_image_size", "crop_ratio", "interpolation", "mean", "std"),
    *("in_channels", "options"),
)

Table = dict[str, dict[str, Any]]


def networks() -> Table:
    """Every network by its key."""
    return {name: network(name, defaults(COMMANDS["train"], [f"arch={name}"])) for name in sorted(names())}


def network(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """What is published of the network `name` except errors, and what `values`, its composed config, say of it."""
    published = {fact: value for fact, value in facts(name).items() if fact not in ERRORS}
    composed = {key: values[f"arch.{key}"] for key in PREPROCESSING}
    plain = {key: _plain(value) for key, value in composed.items()}
    return published | plain | {"recipe": values["recipe"]}


def help_keys() -> Table:
    """Every command by its name, with the keys that its help lists."""
    return {name: command_keys(COMMANDS[name]) for name in sorted(COMMANDS)}


def command_keys(command: Command) -> dict[str, dict[str, Any]]:
    """Each key of a command: its choices, range and note, where it has them, and the schema's default."""
    return {name: _key(item) for name, item in sorted(entries(command.schema).items())}


def _key(item: dataclasses.Field) -> dict[str, Any]:
    said = {part: _plain(item.metadata[part]) for part in ("choices", "note") if item.metadata[part]}
    said |= {"range": str(item.metadata["range"])} if item.metadata["range"] else {}
    if dataclasses.is_dataclass(item.default_factory):
        return said | {"group": True}
    made = item.default_factory is not dataclasses.MISSING
    return said | {"default": item.default_factory() if made else item.default}


def _plain(value: Any) -> Any:
    """`value` without tuples and OmegaConf's own lists and dicts."""
    if hasattr(value, "items"):
        return {name: _plain(each) for name, each in value.items()}
    return value if isinstance(value, str) or not hasattr(value, "__iter__") else [_plain(each) for each in value]


def text(table: Table) -> str:
    """`table` as JSON: a block for each of its entries, in it a line for each part."""
    blocks = []
    for name, entry in table.items():
        lines = [f"    {json.dumps(part)}: {json.dumps(value)}" for part, value in entry.items()]
        blocks.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


TABLES = {"networks": networks, "help": help_keys}


def write(name: str) -> None:
    """Make the table `name` anew."""
    (GOLDEN / f"{name}.json").write_text(text(TABLES[name]()), encoding="utf-8")
