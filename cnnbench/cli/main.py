"""The command line: `cnnbench COMMAND key=value ...`. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from cnnbench import __version__
from cnnbench.cli.command import Command, bare_key
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.completion import VARIABLE, completions
from cnnbench.cli.synonyms import COMMANDS as COMMANDS_OF_OTHERS
from cnnbench.runtime import stdout
from cnnbench.runtime.denied import granted
from cnnbench.runtime.errors import INTERRUPTED, Stopped, UserError, nearest
from cnnbench.runtime.group import speaks_for_machine
from cnnbench.runtime.slurm import slurm_environment
from cnnbench.runtime.system import default_action
from cnnbench.runtime.terminal import waiting

AT_ONCE = ("zoo", "template", "completion")  # commands that answer in less than two seconds
DRY_RUN = "--dry-run"


def main(words: list[str] | None = None) -> None:
    """Run the command that `words` (default: the process's arguments) name, and leave with its exit status.

    Exit status 0: done; 1: `data check` found problems, or `verify` an error outside its band; 2: the user has to
    change something, which one line says; 75: stopped and saved, to be continued; 130: interrupted; 141: nobody
    reads the output any more, as in `cnnbench zoo | head -1`; else a traceback.
    """
    # Threads of one operation that spin while they wait for each other starve the loader's processes on the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler tells of its own starts and stops
    stdout.open_closed()
    stdout.take_any_name()
    default_action("SIGCHLD")  # a parent that ignores it has our children's exit statuses lost
    try:
        with stdout.watched():
            _answer(sys.argv[1:] if words is None else words)
    except stdout.OutputLost as lost:
        if isinstance(lost.__cause__, BrokenPipeError):
            sys.exit(141)  # as SIGPIPE would end a process in C
        print(f"cnnbench: cannot write to standard output: {lost}", file=sys.stderr)
        sys.exit(2)


def _answer(words: list[str]) -> None:
    try:
        os.environ.update(slurm_environment(os.environ))
        if os.environ.get("RANK"):  # what torch's store warns of, with addresses of its code, is said in a sentence
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        with _at_home(), granted():
            _run(words)
    except UserError as error:
        if speaks_for_machine(os.environ):
            print(f"cnnbench: {error}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stop:
        sys.exit(stop.status)
    except KeyboardInterrupt:
        print("cnnbench: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


@contextmanager
def _at_home() -> Iterator[None]:
    """Within this block a ~ that leads nowhere, as for a user whom the system does not know, is a UserError."""
    try:
        yield
    except RuntimeError as error:
        if "home directory" not in str(error):  # pathlib has no exception of its own for it
            raise
        raise UserError("this user has no home folder: set HOME, or use paths without ~") from error


def _run(words: list[str]) -> None:
    if (line := os.environ.get(VARIABLE)) is not None:
        print("\n".join(completions(line)))
    elif not words or words[0] in ("--help", "-h", "help"):
        print(_overview())
    elif words[0] in ("--version", "-V"):
        print(f"cnnbench {__version__}")
    else:
        command, rest = _command(words)
        if {"--help", "-h"} & set(rest):
            from cnnbench.cli.help import command_help

            overrides = [word for word in rest if not word.startswith("-")]
            print(command_help(command, [word for word in overrides if "=" in word or bare_key(command) is None]))
        else:
            with waiting(f"cnnbench {command.name}: starting") if command.name not in AT_ONCE else nullcontext():
                from cnnbench.cli.run import run

                run(command, rest)


def _command(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the first word, or the first two, name, and the words after it."""
    if words[0] == "describe" and any(word.startswith(("recipe=", "ladder=")) for word in words[1:]):
        return COMMANDS["describe recipe"], [word for word in words[1:] if word != "recipe"]
    if words[0] == "train" and DRY_RUN in words:
        return COMMANDS[f"train {DRY_RUN}"], [word for word in words[1:] if word != DRY_RUN]
    for count in (2, 1):
        if (name := " ".join(words[:count])) in COMMANDS:
            return COMMANDS[name], words[count:]
    families = {name.partition(" ")[0] for name in COMMANDS if " " in name}
    if words[0] in families:
        known = [name for name in COMMANDS if name.startswith(f"{words[0]} ")]
        said = " ".join(words[:2])
        raise UserError(f"'{said}' is not a command{nearest(said, known)}; there are {', '.join(known)}")
    if (ours := COMMANDS_OF_OTHERS.get(words[0].lower().replace("-", "_"))) is not None:
        raise UserError(f"'{words[0]}' is no command here, did you mean cnnbench {ours}? See cnnbench --help")
    raise UserError(f"unknown command '{words[0]}'{nearest(words[0], COMMANDS)}; see cnnbench --help")


def _overview() -> str:
    commands = "\n".join(f"  {name:<17}{command.summary}" for name, command in COMMANDS.items())
    examples = "\n".join(f"  {line}" for command in COMMANDS.values() for line in command.examples)
    return f"""cnnbench {__version__}: the classical convolutional networks of ILSVRC, trained and tested exactly

usage: cnnbench COMMAND [key=value ...] [--cfg job] [--multirun] [--dry-run] [--help]

commands:
{commands}

examples:
{examples}

`cnnbench COMMAND --help` explains every key, with its unit and value."""
