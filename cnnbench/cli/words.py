"""The words after `cnnbench COMMAND` as overrides in full: names alone, short forms, Hydra's options."""

from __future__ import annotations

import re
from collections.abc import Container
from importlib.resources import files
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from cnnbench.cli import resolvers
from cnnbench.cli.command import Command, bare_key
from cnnbench.config.data import without_secrets
from cnnbench.config.fields import entries
from cnnbench.config.recipes import PAPER
from cnnbench.runs.paths import CONFIG, run_folder
from cnnbench.runtime.errors import UserError, nearest
from cnnbench.runtime.shell import quoted

# Hydra's options, and the words of which one must follow; None: any word, (): none.
_SHOW = ("job", "hydra", "all")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
OPTIONS = {
    **dict.fromkeys(("--cfg", "-c"), _SHOW),
    **dict.fromkeys(("--info", "-i"), _INFO),
    **dict.fromkeys(("--package", "-p", "--config-dir", "-cd"), None),
    **dict.fromkeys(("--multirun", "-m", "--resolve", "--hydra-help", "--shell-completion", "-sc"), ()),
}
# No option of a group whose default is none, which Hydra does not let one choose.
NOTHING_CHOSEN = re.compile(r"(ladder|debug|augment|optimizer|schedule|average|resolution)=null")


def split_options(words: list[str]) -> tuple[list[str], list[str]]:
    """The words that are overrides, and the options with their words; UserError for an option that Hydra does not have,
    or a word that it does not take."""
    overrides, options, rest = [], [], iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            overrides.append(word)
            continue
        if option not in OPTIONS:
            raise UserError(f"unknown option '{option}'{nearest(option, [*OPTIONS, '--help'])}; see --help")
        options.append(word)
        allowed = OPTIONS[option]
        if allowed == ():
            continue
        if not equals:
            value = next(rest, "")
            options.append(value)
        if not value or (allowed and value not in allowed):
            raise UserError(f"{option} takes {'one of ' + ', '.join(allowed) if allowed else 'a word'}, not '{value}'")
    return overrides, options


def without(options: list[str], left_out: tuple[str, ...]) -> list[str]:
    """`options` but for those called as in `left_out`, with their words."""
    kept, rest = [], iter(options)
    for option in rest:
        name, equals, _ = option.partition("=")
        values = [] if equals or OPTIONS[name] == () else [next(rest)]
        if name not in left_out:
            kept += [option, *values]
    return kept


def with_names(command: Command, words: list[str]) -> list[str]:
    """`words`, those without an equals sign and files whose names have one joined under the command's key for them: as
    one name, or as a list."""
    key, known = bare_key(command), entries(command.schema)
    bare = [word for word in words if "=" not in word or (key == "files" and _is_file(word, known))]
    if key is None or not bare:
        return words
    rest = [word for word in words if word not in bare]
    if key == "files" and (first := _names_run(bare[0], rest)):
        return with_names(command, [*bare[1:], *rest, first])
    if key == "run" and len(bare) > 1 and "runs" in known:
        key = "runs"
    several = str(known[key].type).startswith("list")
    if not several and len(bare) > 1:
        raise UserError(f"{command.name} takes one name, not {' and '.join(bare)}")
    if given := [word for word in rest if word.startswith(f"{key}=")]:
        raise UserError(f"give either {given[0]} or the names alone, as in `cnnbench {command.name} {bare[0]}`")
    value = f"[{','.join(map(quoted, bare))}]" if several else quoted(bare[0])
    return [*rest, f"{key}={value}"]


def _is_file(word: str, known: Container[str]) -> bool:
    return word.partition("=")[0] not in known and Path(word).is_file()


def _names_run(word: str, others: list[str]) -> str | None:
    """`word` as run=NAME where it is a run and no file, and no network is named otherwise."""
    if any(re.match(r"(run|runs|weights|arch)=", other) for other in others) or Path(word).is_file():
        return None
    return f"run={quoted(word)}" if (run_folder(word) / CONFIG).is_file() else None


def typed_keys(overrides: list[str]) -> list[str]:
    """The keys that `overrides` give values."""
    return [word.lstrip("+~").partition("=")[0] for word in overrides]


def check_syntax(overrides: list[str]) -> None:
    """Raise UserError for a word that is not an override by Hydra's grammar."""
    parser = OverridesParser.create()
    for word in overrides:
        if "_target_" in word:  # what Hydra's own nodes, such as callbacks, would import and call
            raise UserError(f"cannot take '{word}': a value of cnnbench is never code; leave out _target_")
        try:
            parser.parse_override(word)
        except HydraException as error:
            fix = "put special characters in quotes" if "=" in word else "join a key and its value by '='"
            shown = without_secrets(word)
            raise UserError(f"cannot read '{shown}': {fix}, as in epochs=10 or data='\"/my data\"'") from error


def in_full(words: list[str]) -> list[str]:
    """`words` with the short forms written out: data=PATH, recipe=paper, archs=[A,B], and ladder=NAME step=ROW."""
    words = [re.sub(r"^data=", "data.path=", word) for word in words if not NOTHING_CHOSEN.fullmatch(word)]
    words = [each for word in words for each in _networks(word, words)]
    words = [
        re.sub(rf"\b{PAPER}\b", resolvers.OWN_RECIPE, word) if word.startswith("recipe=") else word for word in words
    ]
    ladders = [word for word in words if re.fullmatch(r"ladder=[^/,]+", word)]
    steps = [word for word in words if word.startswith("step=")]
    if not ladders and not steps:
        return words
    if len(ladders) != 1 or len(steps) != 1:
        raise UserError("ladder= and step= go together, each once, as in ladder=inception_v3 step=label_smoothing")
    ladder, rows = ladders[0].removeprefix("ladder="), steps[0].removeprefix("step=").split(",")
    _check_ladder(ladder, rows)
    chosen = ",".join(f"{ladder}/{row}" for row in rows)
    return [word for word in words if word not in ladders + steps] + [f"ladder={chosen}"]


def _networks(word: str, words: list[str]) -> list[str]:
    """`archs=[A,B]` as Hydra's choices of the group arch, one for each network; another word alone."""
    match = re.fullmatch(r"archs=\[?([a-zA-Z][\w, ]*)\]?", word)
    if match is None:
        return [word]
    if single := [other for other in words if re.match(r"arch[.=]", other)]:
        raise UserError(f"{word} and {single[0]} exclude each other: name all networks in archs=")
    names = [name.strip() for name in match[1].split(",")]
    return [f"+arch@archs.{name}={name}" for name in dict.fromkeys(names)]


def _check_ladder(ladder: str, rows: list[str]) -> None:
    """Raise UserError for a ladder, or a row of it, that is not there: Hydra does not list files of inner folders."""
    folder = files("cnnbench.conf").joinpath("ladder")
    known = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("_")]
    if ladder not in known:
        raise UserError(
            f"there is no ladder={ladder}{nearest(ladder, known)}; choose one of {', '.join(sorted(known))}"
        )
    names = sorted(entry.name[:-5] for entry in folder.joinpath(ladder).iterdir() if entry.name.endswith(".yaml"))
    for row in rows:
        if row not in names:
            raise UserError(f"ladder={ladder} has no step={row}{nearest(row, names)}; choose one of {', '.join(names)}")
