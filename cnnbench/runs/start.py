"""The start of a run: its folder, new or to be continued, and whether it may be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cnnbench.config.batch import check_continued, expected_batch, with_batch, with_batch_of
from cnnbench.config.train import TrainConfig
from cnnbench.runs import lock
from cnnbench.runs.config import check_complete, check_same, load_config, save_config
from cnnbench.runs.environment import ENVIRONMENT, record_start
from cnnbench.runs.paths import CHECKPOINTS, CONFIG, has_begun, new_run_folder, run_folder, run_name
from cnnbench.runs.results import load_result
from cnnbench.runs.status import STATUS
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import writing
from cnnbench.runtime.group import place_in_group


def check_batch(config: TrainConfig) -> None:
    """Raise UserError if the batch of a new run does not split evenly, as far as that is known before it starts."""
    if not has_begun(config) and place_in_group(os.environ) is None:
        expected_batch(config)  # the run asks again with as many processes as there are


def prepare_run(config: TrainConfig, processes: int) -> Path:
    """The folder of the run that `config` describes, new or to be continued, with config.yaml, its batch chosen.

    Raises UserError if the folder holds something else, or a run whose config differs in a key that must not change, or
    if the run's batch does not split evenly over `processes`, which a run that has ended may.
    """
    begun = has_begun(config)
    config = config if begun else with_batch(config, processes)
    folder = run_folder(config.run) if config.run is not None else new_run_folder(config.arch.name)
    lock.refuse_if_held(folder)
    if begun:
        before = load_config(folder)
        config = with_batch_of(before, config)
        check_same(folder, before, config)
        if load_result(folder) is None:
            check_complete(folder)
            check_continued(config, processes, run_name(folder))
    elif folder.is_dir() and any(folder.iterdir()) and not (folder / CHECKPOINTS).is_dir():
        raise UserError(f"{folder} is not empty and not a run: give another run=NAME")
    with writing(f"the run folder {folder}"):
        (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        save_config(folder, config)
        record_start(folder)
    return folder


def discard_unstarted(folder: Path) -> None:
    """Remove the folder of a run that failed before it began to log: it holds its config, and nothing of value."""
    made_first = {CONFIG, ENVIRONMENT, CHECKPOINTS, STATUS}
    unstarted = {entry.name for entry in folder.iterdir()} <= made_first
    if unstarted and not any((folder / CHECKPOINTS).iterdir()):
        shutil.rmtree(folder)
