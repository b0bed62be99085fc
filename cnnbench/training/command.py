"""`cnnbench train` in the front process: the run's folder, the devices, the processes, the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from cnnbench.archs.from_config import weights_file
from cnnbench.config.fields import AUTO
from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.read import data_folder
from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS, has_begun
from cnnbench.runs.results import load_result
from cnnbench.runs.start import examine, started
from cnnbench.runs.status import write_status
from cnnbench.runtime import distributed, stdout
from cnnbench.runtime.devices import choose_device, choose_processes, device_of
from cnnbench.runtime.distributed import Process, largest_over_group
from cnnbench.runtime.errors import FAILED, Lost, UserError
from cnnbench.runtime.group import place_in_group
from cnnbench.runtime.launcher import launch
from cnnbench.training.accumulation import about_found, about_kept, find_accumulate
from cnnbench.training.layout import with_layout
from cnnbench.training.process import train_process
from cnnbench.training.result import choosing_error, result_text
from cnnbench.training.status import after_loss


def train(config: TrainConfig) -> float:
    """Train, or continue, the run that `config` describes; in percent, the top-1 error by which a sweep chooses.

    Alone, starts the processes that the devices call for; under torchrun each process is one of the group and only
    joins.
    """
    with stdout.may_be_lost("the training"):
        return _train(config)


def _train(config: TrainConfig) -> float:
    device, place = choose_device(config.device), place_in_group(os.environ)
    if place is not None:
        found = _try_parts(config, place.world, device, [place.local_rank])
        with distributed.joined(device, config.start_timeout) as process, ExitStack() as owned:
            agreed = _agreed(config, found, process, device)
            begun = partial(_begun, agreed, process.world, device)
            folder = distributed.from_leader(lambda: owned.enter_context(begun()), process)
            _tell_of_parts(config, agreed, folder, process, device)
            return _train_unless_complete(folder, process, device)
    processes = choose_processes(config.processes, device)
    # Unpacks the sample, and fetches torchvision's weights, once, before several processes ask for them.
    data_folder(config.data.given_path)
    if config.weights is not None:
        weights_file(config.arch.name, config.weights)
    alone = Process(world=processes)
    agreed = _agreed(config, _try_parts(config, processes, device, range(processes)), Process(), device)
    with _begun(agreed, processes, device) as folder:
        _tell_of_parts(config, agreed, folder, alone, device)
        if processes == 1:
            return _train_unless_complete(folder, Process(), device)
        return _launch(processes, folder, device, config.start_timeout)


def _try_parts(config: TrainConfig, world: int, device: str, local_ranks: Sequence[int]) -> int | UserError | None:
    """The parts of a new run with accumulate=auto on this machine, or why there are none; None: nothing is to be found.

    Before a group is formed, in which the others would wait; an error is raised once it is, which says it once."""
    if config.accumulate != AUTO or has_begun(config):
        return None
    try:
        examine(config, world)  # what the start refuses is refused before it takes time
        return find_accumulate(config, world, device, local_ranks)
    except UserError as error:
        return error


def _agreed(config: TrainConfig, found: int | UserError | None, process: Process, device: str) -> TrainConfig:
    """`config` with the most parts that one of the group has found. UserError if it, or another one, found none."""
    if isinstance(found, UserError):
        raise found
    if found is None:
        return config
    return replace(config, accumulate=largest_over_group(found, process, device_of(process.local_rank, device)))


def _begun(config: TrainConfig, world: int, device: str) -> AbstractContextManager[Path]:
    """The folder of the run, whose layout is chosen if it is new."""
    if config.channels_last == AUTO:
        examine(config, world)  # what the start refuses is refused before it takes time
    return started(with_layout(config, world, device), world)


def _tell_of_parts(given: TrainConfig, agreed: TrainConfig, folder: Path, process: Process, device: str) -> None:
    """Say what accumulate=auto came to: found now, or kept from the start of the run on another accelerator."""
    if given.accumulate != AUTO or not process.leads:
        return
    if agreed.accumulate != AUTO:
        print(about_found(agreed, process.world, device_of(process.local_rank, device)), flush=True)
    elif (note := about_kept(folder)) is not None:
        print(note, flush=True)


def _launch(processes: int, folder: Path, device: str, start_timeout: float) -> float:
    """Train in new processes; if the system ends one, the run is to be continued, unless that was so before."""
    try:
        return launch(_train_child, processes, folder, device, start_timeout)
    except Lost as loss:
        epoch, step = checkpoint.saved(folder / CHECKPOINTS)
        stop = after_loss(folder, loss, step)
        state = "failed" if stop.status == FAILED else "preempted"
        write_status(folder, state, str(stop), epoch, step, stop.lost)
        print(f"cnnbench: {stop}", file=sys.stderr, flush=True)
        raise stop from loss


def _train_child(folder: Path, device: str, start_timeout: float) -> float:
    with distributed.joined(device, start_timeout) as process, stdout.may_be_lost("the training"):
        return _train_unless_complete(folder, process, device)


def _train_unless_complete(folder: Path, process: Process, device: str) -> float:
    result = distributed.from_leader(lambda: load_result(folder), process)
    if result is None:
        return train_process(folder, process, device)
    if process.leads:
        print(f"{folder} is already complete; for a new run give another run=NAME\n{result_text(folder, result)}")
    return choosing_error(result)
