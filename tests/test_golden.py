"""The tables in tests/golden/ are what the program says, in full: tools/golden.py writes them.

Their networks are compared where each is composed anyway, in test_config.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import golden_tables
import pytest

from cnnbench.archs.registry import names
from cnnbench.cli.commands import COMMANDS

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/golden"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_the_keys_that_are_written_down(command):
    assert golden_tables.command_keys(COMMANDS[command]) == read("help")[command]


@pytest.mark.parametrize(("table", "entries"), [("networks", names()), ("help", COMMANDS)])
def test_a_table_has_every_entry_and_is_as_the_tool_writes_it(table, entries):
    assert list(read(table)) == sorted(entries)
    assert golden_tables.text(read(table)) == (GOLDEN / f"{table}.json").read_text(encoding="utf-8")


def read(table: str) -> golden_tables.Table:
    return json.loads((GOLDEN / f"{table}.json").read_text(encoding="utf-8"))
