"""The table of commands: every function that it names is there, and takes a config."""

import inspect

import pytest

from cnnbench.cli.command import function
from cnnbench.cli.commands import COMMANDS

NAMES = sorted({name for command in COMMANDS.values() for name in (command.runs, *command.checks)})


@pytest.mark.parametrize("name", NAMES)
def test_each_function_that_a_command_names_takes_a_config_alone(name: str):
    signature = inspect.signature(function(name))
    signature.bind(object())  # TypeError where it needs more
    assert len(signature.parameters) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_bears_its_name_and_has_a_check(name: str):
    assert COMMANDS[name].name == name
    assert COMMANDS[name].checks
