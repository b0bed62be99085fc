"""The start of a run: its folder, new or to be continued, and whether it may be."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnbench.config.batch import check_continued, with_batch, with_batch_of
from cnnbench.config.fields import AUTO
from cnnbench.config.train import TrainConfig
from cnnbench.runs import checkpoint, lock
from cnnbench.runs.config import check_complete, check_same, has_config, load_config, recover_config, save_config
from cnnbench.runs.environment import ENVIRONMENT, record_start
from cnnbench.runs.paths import CHECKPOINTS, CONFIG, RUNS, has_begun, new_run_folder, run_folder, run_name
from cnnbench.runs.results import METRICS, RESULT, EpochMetrics, RunResult, load_metrics, load_result, metrics_text
from cnnbench.runs.status import COMPLETE, RUNNING, STATUS, load_status, write_status
from cnnbench.runtime.errors import INTERRUPTED, TO_BE_CONTINUED, UserError
from cnnbench.runtime.files import answered, nearest_existing, remove, remove_scratch, sync, write_text, writing

MADE_FIRST = (CONFIG, ENVIRONMENT, STATUS, lock.FILE)  # files of a run that has not begun to log
STOPPED = (TO_BE_CONTINUED, INTERRUPTED)  # exit statuses
SCRATCH = re.compile(r"\.\w+\.\d+(\.\w+)?")  # what a killed write leaves: runtime/files.py


@contextmanager
def started(config: TrainConfig, processes: int) -> Iterator[Path]:
    """The folder of the run that `config` describes, new or to be continued, which this process owns for the length of
    the block, with config.yaml, its batch chosen. A run that has ended is not touched, unless a file
    of it is damaged.

    Where the block fails, a run that did not begin to log is removed as far as this start made it. Raises UserError if
    another process trains the run, if the folder holds something else, or a run whose config differs in a key that must
    not change, or if the batch does not split evenly over `processes`.
    """
    if not has_begun(config):
        with_batch(config, processes)  # raises before a folder is made
    folder, made = _folder(config)
    if has_begun(config) and (result := load_result(folder)) is not None:
        lock.refuse_if_held(folder)
        _config_of_begun(folder, config)
        _complete(folder, result)
        yield folder
        return
    try:
        with lock.held(folder), _discarding(folder):
            prepare_run(folder, config, processes)
            yield folder
    except (UserError, SystemExit):
        if made:
            with suppress(OSError):  # it is not empty: it holds a run
                folder.rmdir()
        raise


def examine(config: TrainConfig, processes: int) -> tuple[Path | None, TrainConfig]:
    """What `started` would find: the folder of the run, None if it would get a name of its own, and the config with its
    batch chosen. Nothing is written. Raises UserError as `started` does, and if the folder could not be written."""
    if config.run is None:
        _check_writable(RUNS)
        return None, with_batch(config, processes)
    folder = _named_folder(config.run)
    _check_writable(folder)
    if not has_begun(config):
        if folder.is_dir():
            _check_new(folder)
        return folder, with_batch(config, processes)
    lock.refuse_if_held(folder)
    if load_result(folder) is None:
        return folder, _continued(folder, config, processes)
    return folder, _config_of_begun(folder, config)


def _check_writable(folder: Path) -> None:
    """Raise UserError if this user may not make or change files in `folder`, which may not be there yet."""
    first = nearest_existing(folder)
    if not first.is_dir() or not os.access(first, os.W_OK | os.X_OK):
        raise UserError(f"cannot write the run folder {folder}: {first} is not a folder that this user may write to")


def _complete(folder: Path, result: RunResult) -> None:
    """Make anew what is missing of a run that has ended, or damaged: its config, metrics and status."""
    status, metrics = load_status(folder), load_metrics(folder)
    ended = status is not None and status["state"] == COMPLETE
    if ended and has_config(folder) and len(metrics) == result.get("epoch", len(metrics)):
        return
    content = checkpoint.newest(folder / CHECKPOINTS)
    # A disk that cannot be written does not keep from telling the result.
    with suppress(UserError), lock.held(folder), writing(f"the run folder {folder}"):
        recover_config(folder)
        if content is not None:
            metrics = content["state"]["metrics"]
            write_text(folder / METRICS, metrics_text(metrics))
        last: EpochMetrics = metrics[-1] if metrics else {"epoch": result.get("epoch", 0)}
        write_status(folder, COMPLETE, None, last["epoch"], last.get("step", 0))


def prepare_run(folder: Path, config: TrainConfig, processes: int) -> None:
    """Write what a run needs to begin, or to be continued, into its `folder`, which this process owns. Raises UserError
    as `started` does."""
    with writing(f"the run folder {folder}"):
        remove_scratch(folder, (*MADE_FIRST, METRICS, RESULT))
        if recover_config(folder):
            config = _continued(folder, config, processes)
        else:
            _check_new(folder)
            config = with_batch(config, processes)
            if config.accumulate == AUTO:  # which is found only for a run that is not there
                raise UserError(f"{folder / CONFIG} is damaged: remove it, and accumulate=auto is found again")
        (folder / CHECKPOINTS).mkdir(exist_ok=True)
        save_config(folder, config)
        record_start(folder)


def _continued(folder: Path, config: TrainConfig, processes: int) -> TrainConfig:
    """As `_config_of_begun`, of a run that has not ended; UserError if its batch does not split over `processes`."""
    config = _config_of_begun(folder, config)
    check_complete(folder)
    check_continued(config, processes, run_name(folder))
    return config


def _config_of_begun(folder: Path, config: TrainConfig) -> TrainConfig:
    """`config`, which is to continue the run in `folder`, with its batch; UserError if it is of another run."""
    before = load_config(folder)
    config = with_batch_of(before, config)
    check_same(folder, before, config)
    return config


def _folder(config: TrainConfig) -> tuple[Path, bool]:
    """The folder of the run, and whether this start made it."""
    if config.run is None:
        return new_run_folder(config.arch.name), True
    folder = _named_folder(config.run)
    with writing(f"the run folder {folder}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            return folder, False
        sync(folder.parent)
    return folder, True


def _named_folder(run: str) -> Path:
    """The folder that `run` names, which need not be there; UserError if it is something else."""
    folder = run_folder(run)
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"run={run}: {folder} is a file, or a link to nothing: give another run=NAME")
    return folder


def _check_new(folder: Path) -> None:
    """Raise UserError unless `folder` holds nothing but what a start leaves that is killed before it has written its
    config."""
    names = {entry.name for entry in folder.iterdir()}
    if CHECKPOINTS not in names and not all(name == lock.FILE or SCRATCH.fullmatch(name) for name in names):
        raise UserError(f"{folder} is not empty and not a run: give another run=NAME")


@contextmanager
def _discarding(folder: Path) -> Iterator[None]:
    """Where the block fails, say so in the run's status, or remove what this start has put into `folder` if the run has
    not begun to log: its config, and nothing of value. What was there before stays."""
    before = {entry.name for entry in folder.iterdir()}
    try:
        yield
    except (UserError, SystemExit) as error:
        ended = error
        if not answered(lambda: _last_words(folder, ended, before)):
            print(f"cnnbench: the disk of {folder} does not answer: how the run ended is not written", file=sys.stderr)
        raise


def _last_words(folder: Path, error: UserError | SystemExit, before: set[str]) -> None:
    status = load_status(folder)
    if status is not None and status["state"] == RUNNING:  # its leader was killed before it could
        why = str(error) if isinstance(error, UserError) else "one of its processes was ended"
        stopped = isinstance(error, SystemExit) and error.code in STOPPED
        state = "preempted" if stopped else "failed"
        write_status(folder, state, why, *checkpoint.saved(folder / CHECKPOINTS), status["lost"])
    _discard(folder, before)


def _discard(folder: Path, before: set[str]) -> None:
    now = {entry.name for entry in folder.iterdir()}
    begun = CONFIG in before or not now <= {*MADE_FIRST, CHECKPOINTS}
    if begun or (CHECKPOINTS in now and any((folder / CHECKPOINTS).iterdir())):
        return
    for name in {*MADE_FIRST} - {*before}:
        remove(folder / name)
    if CHECKPOINTS in now - before:
        (folder / CHECKPOINTS).rmdir()
