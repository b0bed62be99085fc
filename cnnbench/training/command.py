"""`cnnbench train` in the front process: the run's folder, the devices, the processes, the result."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from cnnbench.archs.from_config import weights_file
from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.read import data_folder
from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS
from cnnbench.runs.results import load_result
from cnnbench.runs.start import started
from cnnbench.runs.status import write_status
from cnnbench.runtime import distributed, stdout
from cnnbench.runtime.devices import choose_device, choose_processes
from cnnbench.runtime.errors import FAILED, Lost
from cnnbench.runtime.launcher import launch
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
    device = choose_device(config.device)
    if distributed.started_by_launcher():
        with distributed.joined(device, config.start_timeout) as process, ExitStack() as owned:
            folder = distributed.from_leader(lambda: owned.enter_context(started(config, process.world)), process)
            return _train_unless_complete(folder, process, device)
    processes = choose_processes(config.processes, device)
    # Unpacks the sample, and fetches torchvision's weights, once, before several processes ask for them.
    data_folder(config.data.given_path)
    if config.weights is not None:
        weights_file(config.arch.name, config.weights)
    with started(config, processes) as folder:
        if processes == 1:
            return _train_unless_complete(folder, distributed.Process(), device)
        return _launch(processes, folder, device, config.start_timeout)


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


def _train_unless_complete(folder: Path, process: distributed.Process, device: str) -> float:
    result = distributed.from_leader(lambda: load_result(folder), process)
    if result is None:
        return train_process(folder, process, device)
    if process.leads:
        print(f"{folder} is already complete; for a new run give another run=NAME\n{result_text(folder, result)}")
    return choosing_error(result)
