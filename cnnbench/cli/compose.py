"""From the words after `cnnbench COMMAND` to a checked config, by Hydra: groups, overrides, sweeps, plug-ins.

Hydra runs in the front process only, without a folder or log file of its own. All that it and OmegaConf have to say
about a wrong override becomes one UserError.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cnnbench import choices
from cnnbench.cli.commands import Command
from cnnbench.config.recipes import PAPER
from cnnbench.config.schema import ArchConfig, TrainConfig, entries, value_of
from cnnbench.runs.paths import new_run_folder, run_folder
from cnnbench.runtime.errors import UserError, nearest, reason
from cnnbench.runtime.shell import quoted

SHOWN = 12  # options of a group that an error message lists

# Words of a sweep by whose points only Hydra knows: folders of one's own, plug-ins, values of a job.
HYDRAS = re.compile(r"--config-dir|-cd|\+*hydra(/sweeper|\.(sweep|searchpath))|.*\$\{(hydra|now):")
TWICE = re.compile(r"Multiple values for (\w+)\.|(\w+) appears more than once")  # in a list of defaults
MANY = 50  # points of a sweep whose check takes long enough to be told of, some 0.1 s each

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
OTHER_ERRORS = (ValueError, TypeError, AttributeError, AssertionError, KeyError, OSError)  # that Hydra lets through

# Hydra's options, and the words of which one must follow; None: any word, (): none.
_SHOW = ("job", "hydra", "all")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
OPTIONS = {
    **dict.fromkeys(("--cfg", "-c"), _SHOW),
    **dict.fromkeys(("--info", "-i"), _INFO),
    **dict.fromkeys(("--package", "-p", "--config-dir", "-cd"), None),
    **dict.fromkeys(("--multirun", "-m", "--resolve", "--hydra-help", "--shell-completion", "-sc"), ()),
}


def run(command: Command, words: list[str]) -> None:
    """Compose the config of `command` from `words` and run it, once or, with --multirun, for every point of a sweep."""
    overrides, options = _check_options(words)
    overrides = _named(command, overrides)
    _check_syntax(overrides)
    overrides = _in_full(overrides)
    words = [*options, *overrides]  # Hydra's parser takes no overrides on both sides of an option
    if {"--cfg", "-c"} & set(words):
        words.insert(0, "--resolve")
    elif {"--multirun", "-m"} & set(words):
        _check_points(command, words)
        words = _sweep_folder(words)

    single: list[DictConfig] = []

    def task(composed: DictConfig) -> Any:
        job = HydraConfig.get()
        if job.mode == RunMode.MULTIRUN:
            config = _typed(command, composed, os.path.abspath(job.runtime.output_dir))
            command.check(config)
            return command.run(config)
        single.append(composed)  # and run below, so that Hydra has no say in its errors
        return None

    _store_schema(command)
    main = hydra.main(config_path="pkg://cnnbench.conf", config_name=command.config_name, version_base="1.3")(task)
    with _arguments([f"cnnbench {command.name}", *words]):
        try:
            main()
        except COMPOSITION_ERRORS as error:
            raise UserError(_explain(error, command.schema)) from error
        except OTHER_ERRORS as error:
            if _of_a_job(error) or isinstance(error, BrokenPipeError):  # the latter is of what --cfg job prints
                raise
            raise UserError(f"Hydra cannot compose {' '.join(words)}: {reason(error)}") from error
    for composed in single:
        try:
            config = _typed(command, composed)
        except COMPOSITION_ERRORS as error:
            raise UserError(_explain(error, command.schema)) from error
        command.check(config)
        command.run(config)


def _check_points(command: Command, words: list[str]) -> None:
    """Raise UserError for a point of a sweep that cannot work, before the first one begins.

    What Hydra alone can compose is left to it, and to the check that each job makes for itself.
    """
    if any(map(HYDRAS.match, words)):
        return
    folder, words = _named_folder([word for word in words if not re.match(r"-|\+*hydra[./]", word)])
    _store_schema(command)
    with (
        hydra.initialize_config_module("cnnbench.conf", version_base="1.3"),
        suppress(*COMPOSITION_ERRORS, *OTHER_ERRORS),
    ):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        points = BasicSweeper.split_arguments(parser.parse_overrides(words), None)[0]
        if len(points) > MANY:
            print(f"checking the {len(points)} points of the sweep", flush=True)
        for number, point in enumerate(points):
            job_folder = None if folder is None else str(folder / str(number))
            command.check(_typed(command, hydra.compose(command.config_name, point), job_folder))


def _of_a_job(error: Exception) -> bool:
    """Whether `error` comes from a job of a sweep: Hydra's JobReturn.return_value raises what a job raised."""
    return any(frame.name == "return_value" for frame in traceback.extract_tb(error.__traceback__))


def defaults(command: Command, overrides: list[str]) -> dict[str, Any]:
    """The composed value of every key by its full dotted name, for the help text."""
    _store_schema(command)
    with hydra.initialize_config_module("cnnbench.conf", version_base="1.3"):
        try:
            composed = hydra.compose(command.config_name, _in_full(overrides))
            return {name: OmegaConf.select(composed, name) for name in entries(command.schema)}
        except COMPOSITION_ERRORS as error:
            raise UserError(_explain(error, command.schema)) from error


def own_recipes() -> dict[str, str | None]:
    """Each network with its paper's recipe, as their files say."""
    with hydra.initialize_config_module("cnnbench.conf", version_base="1.3"):
        return choices.own_recipes()


def _named(command: Command, words: list[str]) -> list[str]:
    """`words`, those that are no key=value joined under the command's key for them: as one name, or as a list."""
    bare = [word for word in words if "=" not in word]
    if command.bare is None or not bare:
        return words
    several = str(command.schema.__dataclass_fields__[command.bare].type).startswith("list")
    if not several and len(bare) > 1:
        raise UserError(f"{command.name} takes one name, not {' and '.join(bare)}")
    if given := [word for word in words if word.startswith(f"{command.bare}=")]:
        raise UserError(f"give either {given[0]} or the names alone, as in `cnnbench {command.name} {bare[0]}`")
    value = f"[{','.join(map(quoted, bare))}]" if several else quoted(bare[0])
    return [*(word for word in words if "=" in word), f"{command.bare}={value}"]


def _in_full(words: list[str]) -> list[str]:
    """`words` with the short forms written out: data=PATH, recipe=paper, archs=[A,B], and ladder=NAME step=ROW."""
    words = [re.sub(r"^data=", "data.path=", word) for word in words]
    words = [each for word in words for each in _networks(word, words)]
    words = [
        re.sub(rf"\b{PAPER}\b", choices.OWN_RECIPE, word) if word.startswith("recipe=") else word for word in words
    ]
    ladders = [word for word in words if re.fullmatch(r"ladder=[^/,]+", word) and word != "ladder=null"]
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


@functools.cache
def _store_schema(command: Command) -> None:
    """Make the schema of `command` known to Hydra; once, since it takes a fifth of the time of a composition."""
    choices.register()
    store = functools.partial(ConfigStore.instance().store, group="schema", provider="cnnbench")
    store(name=command.config_name, node=_node(command.schema), package="_global_")
    store(name=choices.AS_IT_IS, node={})
    for name, item in entries(TrainConfig).items():
        if "." not in name and dataclasses.is_dataclass(item.default_factory):
            store(name=name, node=_node(item.default_factory))
    if not files("cnnbench.conf").joinpath(f"{command.config_name}.yaml").is_file():
        ConfigStore.instance().store(name=command.config_name, node={"defaults": _defaults_list(command)})


def _defaults_list(command: Command) -> list[Any]:
    """What the file in conf/ of a command that has values says first; the others need no file."""
    network = [{"arch": None}] if "arch" in entries(command.schema) else []
    return [f"schema/{command.config_name}", "quiet", *network, {"override hydra/job_logging": "none"}]


def _node(schema: type) -> DictConfig:
    node = OmegaConf.structured(schema)
    _thaw(node)
    return node


def _thaw(node: DictConfig) -> None:
    """Let values be merged into nodes of frozen dataclasses, which OmegaConf marks as read-only."""
    OmegaConf.set_readonly(node, None)
    for name in node:
        if isinstance(child := node._get_node(name), DictConfig) and not child._is_none():
            _thaw(child)


def _typed(command: Command, composed: DictConfig, job_folder: str | None = None) -> Any:
    """The frozen dataclass of a composed config; a run without a name lies in `job_folder`, if there is one."""
    known = entries(command.schema)
    for name in _names(composed):
        if name not in known and not name.startswith(("arch.options.", "archs.")):
            raise UserError(_unknown(name, command.schema))
    if "arch" in composed and OmegaConf.is_missing(composed.arch, "name"):  # a command that can do without a network
        composed.arch = None
    config = OmegaConf.to_object(composed)
    _check_groups(config, known)
    if getattr(config, "archs", None):
        config = dataclasses.replace(config, archs={name: _arch(name, node) for name, node in composed.archs.items()})
    return dataclasses.replace(config, run=job_folder) if command.makes_run and config.run is None else config


def _check_groups(config: Any, known: dict[str, dataclasses.Field]) -> None:
    """Raise UserError where a group of keys holds something else: OmegaConf takes references as they come."""
    for name, item in known.items():
        parent, _, last = name.rpartition(".")
        holder = value_of(config, parent) if parent else config
        if dataclasses.is_dataclass(item.default_factory) and holder is not None:
            value = getattr(holder, last)
            if value is not None and not isinstance(value, item.default_factory):
                first = dataclasses.fields(item.default_factory)[0].name
                raise UserError(f"{name}={value} is not possible: it is a group of keys, such as {name}.{first}")


def _arch(name: str, node: Any) -> ArchConfig:
    """One of several networks, checked as the group arch is."""
    if not isinstance(node, DictConfig):
        raise UserError(f"archs.{name}={node} is not possible: name the networks in a list, as in archs=[{name}]")
    return OmegaConf.to_object(OmegaConf.merge(_node(ArchConfig), node))


def _names(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in node:
        yield f"{prefix}{name}"
        if isinstance(child := node._get_node(name), DictConfig) and not child._is_none():
            yield from _names(child, f"{prefix}{name}.")


def _check_options(words: list[str]) -> tuple[list[str], list[str]]:
    """The words that are overrides, and the options with their words; UserError for an option that Hydra has not, or a
    word that it does not take."""
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


def _check_syntax(overrides: list[str]) -> None:
    parser = OverridesParser.create()
    for word in overrides:
        if "_target_" in word:  # what Hydra's own nodes, such as callbacks, would import and call
            raise UserError(f"cannot take '{word}': a value of cnnbench is never code; leave out _target_")
        try:
            parser.parse_override(word)
        except HydraException as error:
            fix = "put special characters in quotes" if "=" in word else "join a key and its value by '='"
            raise UserError(f"cannot read '{word}': {fix}, as in epochs=10 or data='\"/my data\"'") from error


def _sweep_folder(words: list[str]) -> list[str]:
    """Give a sweep its folder: run=NAME names it, and its jobs are numbered below."""
    if "RANK" in os.environ:
        raise UserError("--multirun does not work under torchrun or srun: start one sweep without them")
    if any(word.startswith("hydra.sweep.dir=") for word in words):
        return words
    folder, rest = _named_folder(words)
    return [*rest, f"hydra.sweep.dir='{folder if folder is not None else new_run_folder('sweep')}'"]


def _named_folder(words: list[str]) -> tuple[Path | None, list[str]]:
    """The folder that run=NAME gives a sweep, None without it, and the other words. With several values, run= is a part
    of the points."""
    names = [word for word in words if re.match(r"run=[^,]*$", word)]
    folder = run_folder(names[-1].removeprefix("run=")) if names else None
    return folder, [word for word in words if word not in names]


@contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    """Hand `words` to Hydra's main, which reads them from sys.argv, and have it raise its errors, not print them."""
    before, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = words, "1"
    try:
        yield
    finally:
        sys.argv = before
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


def _explain(error: Exception, schema: type) -> str:
    """One sentence for what Hydra or OmegaConf found wrong, or for what a resolver of ours said to them."""
    if ours := next((cause for cause in _causes(error) if isinstance(cause, UserError)), None):
        return str(ours)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = error.missing_cfg_file.rpartition("/")
        hint, few = nearest(option, error.options), len(error.options) <= SHOWN
        rest = f"choose one of {', '.join(error.options)}" if few else "`cnnbench COMMAND --help` lists all"
        return f"{group} has no option '{option}'{hint}; {rest}"
    cause = error.__cause__ or error
    first = reason(cause)
    if match := re.match(r"Ambiguous value for argument '(.*)'", first):
        return f"{match[1]} has several values: add --multirun for a sweep, or write a list, as in key=[1,2]"
    if match := re.match(r"Could not override '([^']*)'", str(error)):
        parent = getattr(cause, "parent_node", None)
        return _unknown(match[1], schema, list(parent) if isinstance(parent, DictConfig) else [])
    if match := TWICE.match(first):
        group = match[1] or match[2]
        return f"{group} is chosen twice: a recipe's file writes its values out, and cannot name one among its defaults"
    key = getattr(cause, "full_key", None)
    return f"{key}: {first[0].lower()}{first[1:]}" if key else first


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown(name: str, schema: type, siblings: Iterable[str] = ()) -> str:
    """'unknown key ...' with the nearest known key, found by its full name, its siblings, or its last part."""
    group = name.rpartition(".")[0]
    known = dict.fromkeys([*entries(schema), *(f"{group}.{sibling}" for sibling in siblings if group)])
    if hint := nearest(name, known):
        return f"unknown key '{name}'{hint}"
    by_last: dict[str, str] = {full.rpartition(".")[2]: full for full in known}
    close = [by_last[word] for word in by_last if word == name.rpartition(".")[2]]
    hint = f", did you mean {close[0]}?" if close else nearest(name.rpartition(".")[2], by_last)
    return f"unknown key '{name}'{hint or '; `cnnbench COMMAND --help` lists them'}"
