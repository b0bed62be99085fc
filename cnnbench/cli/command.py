"""What a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cnnbench.config.fields import entries
from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Command:
    """A row of the table of commands. `runs` and `checks` are functions of a config of the type `schema`, named as
    "module:function" of this package, so that help and mistakes are answered without importing what they need."""

    name: str
    summary: str
    examples: tuple[str, ...]
    schema: type
    runs: str
    checks: tuple[str, ...]  # each raises UserError for a config that cannot work
    makes_run: bool = False  # whether each job of a sweep has a run folder of its own
    bare: str | None = None  # key that words without an equals sign fill, as the claim in `lecture relu`
    values_of: str | None = None  # the command whose file in conf/ it takes, with a schema of its own

    @property
    def config_name(self) -> str:
        """Its file in conf/, if it has one, without the ending: data_show for `cnnbench data show`."""
        return self.name.replace(" --", "_").replace("-", "_").replace(" ", "_")

    def check(self, config: Any) -> None:
        """Raise UserError for a config of this command that cannot work."""
        for name in self.checks:
            function(name)(config)

    def run(self, config: Any) -> Any:
        """Do what the command is for; its result, where a sweep has a use for one."""
        return function(self.runs)(config)


def bare_key(command: Command) -> str | None:
    """The key that words without an equals sign fill: the command's own, or the run that it takes."""
    known = entries(command.schema)
    own_run = "run" in known and "recipe" not in known  # not the run that training makes
    return command.bare or ("run" if own_run else None)


def function(name: str) -> Callable[[Any], Any]:
    """The function that "module:function" of this package names. Raises UserError if it is not there."""
    module, _, attribute = name.partition(":")
    full = f"cnnbench.{module}"
    try:
        return getattr(import_module(full), attribute)
    except AttributeError as error:
        raise UserError(f"{full} has no function {attribute}, which cnnbench/cli/commands.py names") from error
    except ModuleNotFoundError as error:
        if error.name != full:  # a package that the command needs
            raise
        raise UserError(f"there is no {full}, which cnnbench/cli/commands.py names") from error
