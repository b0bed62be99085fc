"""Shell completion: of commands, keys, groups and values, from the schema and the files in conf/. Imports no Hydra.

The scripts ask `cnnbench` itself, by the line so far in the environment as _CNNBENCH_COMPLETE.
"""

from __future__ import annotations

import shlex
from dataclasses import is_dataclass
from pathlib import Path

from cnnbench.cli.command import Command, bare_key
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.options import options_of_group
from cnnbench.config.fields import entries
from cnnbench.config.shell import CompletionConfig
from cnnbench.runs.paths import RUNS, runs_in

VARIABLE = "_CNNBENCH_COMPLETE"
OPTIONS = ("--cfg job", "--help", "--multirun")

# Each gives the line up to the cursor, and offers what comes back; where nothing does, names of files.
SCRIPTS = {
    "bash": """\
_cnnbench() {
    local line=${COMP_LINE:0:COMP_POINT} word
    word=${line##*[[:space:]]}
    local IFS=$'\\n'
    COMPREPLY=($(_CNNBENCH_COMPLETE=$line cnnbench 2>/dev/null))
    # bash breaks words at = and :, and so takes only what comes behind the last of them
    local behind=${word##*[=:]}
    COMPREPLY=("${COMPREPLY[@]#"${word%"$behind"}"}")
    [[ ${COMPREPLY[0]} == *[=.,/] ]] && compopt -o nospace
}
complete -o default -o bashdefault -F _cnnbench cnnbench
""",
    "zsh": """\
#compdef cnnbench
_cnnbench() {
    local -a found
    found=("${(@f)$(_CNNBENCH_COMPLETE="$LBUFFER" cnnbench 2>/dev/null)}")
    if [[ -n ${found[1]} ]]; then
        compadd -Q -S '' -a found
    else
        compset -P '*='
        _files
    fi
}
compdef _cnnbench cnnbench
""",
    "fish": """\
complete -c cnnbench -a '(_CNNBENCH_COMPLETE=(commandline -cp | string collect) cnnbench 2>/dev/null)'
""",
}


def print_script(config: CompletionConfig) -> None:
    """Print the script of a shell."""
    print(SCRIPTS[str(config.shell)], end="")


def completions(line: str) -> list[str]:
    """What the last word of `line`, a command line up to the cursor, can be; [] leaves it to the shell."""
    words = _split(line)
    last = words.pop()
    if not words:
        return []
    words = words[1:]
    command, rest = _command(words)
    if command is None:
        known = [name.split() for name in COMMANDS]
        following = {name[len(words)] for name in known if len(name) > len(words) and name[: len(words)] == words}
        return sorted(name for name in following if name.startswith(last))
    if last.startswith("-"):
        return [option for option in OPTIONS if option.startswith(last)]
    key, equals, value = last.partition("=")
    if equals:
        return [f"{key}={each}" for each in _values(command, key, value)]
    names = _names_alone(command, last) if not rest or "=" not in rest[-1] else []
    return [*names, *_keys(command, last)]


def _split(line: str) -> list[str]:
    """The words of a line, the last of them perhaps empty; a quote that is still open is closed."""
    for end in ("", "'", '"'):
        try:
            words = shlex.split(line + end)
        except ValueError:
            continue
        return [*words, ""] if not words or line[-1:].isspace() else words
    return [""]


def _command(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command that the first words name, and the words after it."""
    for count in (2, 1):
        name = " ".join(words[:count])
        if len(words) >= count and name in COMMANDS:
            return COMMANDS[name], words[count:]
    return None, words


def _keys(command: Command, start: str) -> list[str]:
    """Keys, and groups of which a file can be chosen; below a dot only where one is typed, for there are hundreds."""
    found = []
    for name, item in entries(command.schema).items():
        if not name.startswith(start) or name.count(".") > start.count(".") + (start.count(".") > 0):
            continue
        if is_dataclass(item.default_factory):
            found += [f"{name}="] * bool(options_of_group(name) or name == "data")
            found += [f"{name}."] if "." not in name or start.startswith(f"{name}.") else []
        else:
            found.append(f"{name}=")
    return found


def _values(command: Command, key: str, start: str) -> list[str]:
    """Values of a key that begin with `start`; of a list, those of its item under way."""
    item = entries(command.schema).get(key)
    if item is None:
        return []
    done = start[: max(start.rfind(","), start.rfind("[")) + 1]
    if options := options_of_group(key):
        known = options
    elif item.metadata["choices"]:
        known = [*item.metadata["choices"]]
    elif item.type == "bool":
        known = ["true", "false"]
    elif key in ("run", "runs"):
        known = runs_in(RUNS)
    elif key == "data":
        known = ["sample", "synthetic"]
    elif (command.name, key) == ("lecture", "name"):
        known = claims()
    else:
        return []
    done = done or "[" * str(item.type).startswith("list")
    return [done + each for each in known if (done + each).startswith(start)]


def claims() -> list[str]:
    """The claims of the lecture."""
    from cnnbench.analysis.lecture.claims import LECTURE

    return [*LECTURE]


def _names_alone(command: Command, start: str) -> list[str]:
    """Runs, claims and so on, for commands whose words need no key."""
    key = bare_key(command)
    if key is None:
        return []
    known = [each.lstrip("[") for each in _values(command, key, "")]
    files = [path.name for path in Path.cwd().iterdir()] if key == "files" else []
    return [each for each in (*known, *files) if each.startswith(start)]
