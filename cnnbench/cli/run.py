"""From words to a command that runs: by Hydra, once or for every point of a sweep.

Hydra runs in the front process only, without a folder or log file of its own. All that it and OmegaConf have to say
about a wrong override becomes one UserError.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from cnnbench.cli.command import Command, function
from cnnbench.cli.compose import COMPOSITION_ERRORS, OTHER_ERRORS, compose, composing, store_schema, typed_config
from cnnbench.cli.habits import answer_habits
from cnnbench.cli.hints import explain, unknown_key, wrong_choice
from cnnbench.cli.like import repeated
from cnnbench.cli.sweep import check_points, sweep_folder
from cnnbench.cli.weights_keys import set_keys_of_weights
from cnnbench.cli.words import check_syntax, in_full, split_options, typed_keys, with_names, without
from cnnbench.config.acting import check_typed
from cnnbench.config.data import NoData, without_secrets
from cnnbench.config.fields import entries
from cnnbench.runtime.errors import UserError, reason
from cnnbench.runtime.group import leads

Composed = tuple[DictConfig, list[str]]  # a config, and the overrides of which it was made


def run(command: Command, words: list[str]) -> None:
    """Compose the config of `command` from `words` and run it, once or, with --multirun, for every point of a sweep."""
    answer_habits(command, words, partial(refusal, command))
    overrides, options = split_options(words)
    overrides = with_names(command, overrides)
    check_syntax(overrides)
    if "archs" not in entries(command.schema) and any(word.startswith("archs=") for word in overrides):
        raise UserError(unknown_key("archs", command.schema))  # which Hydra would not know by that name
    overrides = repeated(command, in_full(overrides))
    words = [*options, *overrides]  # Hydra's parser takes no overrides on both sides of an option
    if {"--cfg", "-c"} & set(words):
        _check_shown(command, options, overrides)
        words.insert(0, "--resolve")
    elif {"--multirun", "-m"} & set(words):
        check_points(command, words)
        words = sweep_folder(words)

    folder = _sweep_of_runs(command, words)
    if options or any(re.match(r"\+*hydra[./]", word) for word in overrides):
        single = _by_hydras_main(command, words)
    else:
        single = [_composed(command, words)]
    for composed, overrides in single:
        with _schema_errors(command):
            config = _checked(command, composed, overrides)
        command.run(config)
    if folder is not None:
        function("analysis.report.sweep:report_sweep")(folder)


def _sweep_of_runs(command: Command, words: list[str]) -> Path | None:
    """The folder of a sweep whose jobs are runs, None where Hydra alone knows it, and of anything else."""
    if not command.makes_run or not {"--multirun", "-m"} & set(words) or {"--cfg", "-c"} & set(words):
        return None
    given = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("hydra.sweep.dir=")]
    return Path(given[-1]) if given and "${" not in given[-1] else None


def _check_shown(command: Command, options: list[str], overrides: list[str]) -> None:
    """Raise UserError if the config that --cfg is to show cannot work; the points of a sweep are not known yet."""
    if {"--multirun", "-m"} & set(options):
        return
    rest = without(options, ("--cfg", "-c", "--package", "-p", "--resolve"))
    for composed, words in _by_hydras_main(command, [*rest, *overrides]):
        with _schema_errors(command):
            config = typed_config(command, composed)
            try:
                command.check(config)
            except NoData:  # as on the node from which a cluster is used: the values are checked without it
                command.check(replace(config, data=replace(config.data, path="synthetic")))
            check_typed(config, typed_keys(words))


def refusal(command: Command, words: list[str]) -> str | None:
    """What is wrong with `words`, overrides or names alone, of `command`; None if they make a config that can work."""
    try:
        words = with_names(command, words)
        check_syntax(words)
        composed, _ = _composed(command, in_full(words))
        config = typed_config(command, composed)
        command.check(config)
        check_typed(config, typed_keys(words))
    except UserError as error:
        return str(error)
    except COMPOSITION_ERRORS as error:
        return explain(error, command.schema)
    return None


def config_of(command: Command, words: list[str]) -> Any:
    """The checked config of `command` that `words`, all of them key=value, make. Raises UserError."""
    check_syntax(words)
    words = in_full(words)
    composed, overrides = _composed(command, words)
    with _schema_errors(command):
        return _checked(command, composed, overrides)


def _composed(command: Command, words: list[str]) -> Composed:
    """What `_by_hydras_main` gives for words that all are overrides of our own, in half of its time: to learn whether a
    sweep is asked for, it composes all of them once before."""
    with _hydras_errors(command, words), composing(command):
        return compose(command, words), words


def _by_hydras_main(command: Command, words: list[str]) -> list[Composed]:
    """Have Hydra do what `words` say. The points of a sweep run here; a single run is returned, so that Hydra has no
    say in its errors."""
    single: list[Composed] = []
    answers: list[Any] = []  # to what a single run asks of Hydra as ${hydra:...}, which its main forgets

    def task(composed: DictConfig) -> Any:
        job = HydraConfig.get()
        if job.mode == RunMode.MULTIRUN:
            folder = Path(job.runtime.output_dir).absolute()  # or, within this folder, as a user would name it
            within = Path.cwd() in folder.parents
            shown = os.path.relpath(folder) if within else str(folder)
            return command.run(_checked(command, composed, job.overrides.task, shown))
        single.append((composed, list(job.overrides.task)))
        answers.append(HydraConfig.instance().cfg)
        return None

    store_schema(command)
    main = hydra.main(config_path="pkg://cnnbench.conf", config_name=command.config_name, version_base="1.3")(task)
    with _hydras_errors(command, words), _arguments([f"cnnbench {command.name}", *words]):
        main()
    for known in answers:
        HydraConfig.instance().cfg = known
    return single


@contextmanager
def _schema_errors(command: Command) -> Iterator[None]:
    """Within this block what OmegaConf has to say about values becomes a UserError."""
    try:
        yield
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error, command.schema)) from error


@contextmanager
def _hydras_errors(command: Command, words: list[str]) -> Iterator[None]:
    """Within this block what Hydra and OmegaConf have to say about wrong `words` becomes a UserError."""
    try:
        yield
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error, command.schema)) from error
    except OTHER_ERRORS as error:
        if _of_a_job(error):
            raise
        if wrong := next(filter(None, (wrong_choice(word, command.schema) for word in words)), None):
            raise UserError(wrong) from error
        raise UserError(f"Hydra cannot compose {without_secrets(' '.join(words))}: {reason(error)}") from error


def _checked(command: Command, composed: DictConfig, overrides: list[str], job_folder: str | None = None) -> Any:
    """The config of `command`, checked, with what its weights expect, which is said. Raises UserError."""
    config = typed_config(command, composed, job_folder)
    command.check(config)
    check_typed(config, typed_keys(overrides))
    if notes := set_keys_of_weights(composed, overrides):
        config = typed_config(command, composed, job_folder)
        command.check(config)
        if leads(os.environ):
            aside = sys.stderr if getattr(config, "format", "table") != "table" else sys.stdout
            print("\n".join(f"weights     {note}" for note in notes), file=aside)
    return config


def _of_a_job(error: Exception) -> bool:
    """Whether `error` comes from a job of a sweep: Hydra's JobReturn.return_value raises what a job raised."""
    return any(frame.name == "return_value" for frame in traceback.extract_tb(error.__traceback__))


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
