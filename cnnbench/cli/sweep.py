"""A sweep: its points are checked before the first one begins, and its jobs lie in a folder of their own."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from cnnbench.cli.command import Command
from cnnbench.cli.compose import COMPOSITION_ERRORS, OTHER_ERRORS, compose, composing, typed_config
from cnnbench.cli.words import typed_keys
from cnnbench.config.acting import check_typed
from cnnbench.config.runs import check_run
from cnnbench.runs.paths import new_run_folder, run_folder
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import place_in_group

# Words of a sweep by whose points only Hydra knows: folders of one's own, plug-ins, values of a job.
HYDRAS = re.compile(r"--config-dir|-cd|\+*hydra(/sweeper|\.(sweep|searchpath))|.*\$\{(hydra|now):")
MANY = 50  # points of a sweep whose check takes long enough to be told of, some 0.1 s each


def check_points(command: Command, words: list[str]) -> None:
    """Raise UserError for a point of a sweep that cannot work, before the first one begins.

    What Hydra alone can compose is left to it, and to the check that each job makes for itself.
    """
    if any(map(HYDRAS.match, words)):
        return
    folder, words = _named_folder([word for word in words if not re.match(r"-|\+*hydra[./]", word)])
    with composing(command), suppress(*COMPOSITION_ERRORS, *OTHER_ERRORS):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        points = BasicSweeper.split_arguments(parser.parse_overrides(words), None)[0]
        if len(points) > MANY:
            print(f"checking the {len(points)} points of the sweep", flush=True)
        for number, point in enumerate(points):
            job_folder = None if folder is None else str(folder / str(number))
            config = typed_config(command, compose(command, point), job_folder)
            command.check(config)
            check_typed(config, typed_keys(point))


def sweep_folder(words: list[str]) -> list[str]:
    """Give a sweep its folder: run=NAME names it, and its jobs are numbered below."""
    if place_in_group(os.environ) is not None:
        raise UserError("--multirun does not work under torchrun or srun: start one sweep without them")
    if any(word.startswith("hydra.sweep.dir=") for word in words):
        return words
    folder, rest = _named_folder(words)
    return [*rest, f"hydra.sweep.dir='{folder if folder is not None else new_run_folder('sweep')}'"]


def _named_folder(words: list[str]) -> tuple[Path | None, list[str]]:
    """The folder that run=NAME gives a sweep, None without it, and the other words. With several values, run= is a part
    of the points."""
    names = [word for word in words if re.match(r"run=[^,]*$", word)]
    for name in names:
        check_run("run", name.removeprefix("run=").strip("'\""))
    folder = run_folder(names[-1].removeprefix("run=")) if names else None
    return folder, [word for word in words if word not in names]
