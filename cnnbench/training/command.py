"""`cnnbench train` in the front process: the run's folder, the devices, the processes, the result."""

from __future__ import annotations

from pathlib import Path

from cnnbench.archs.from_config import weights_file
from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.read import data_folder
from cnnbench.runs.results import load_result
from cnnbench.runs.start import discard_unstarted, prepare_run
from cnnbench.runs.status import load_status, write_status
from cnnbench.runtime import distributed
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.launcher import launch
from cnnbench.training.process import train_process
from cnnbench.training.result import result_text


def train(config: TrainConfig) -> float:
    """Train, or continue, the run that `config` describes; its top-1 error in percent.

    Alone, starts the processes that the devices call for; under torchrun each process is one of the group and only
    joins.
    """
    device = distributed.choose_device(config.device)
    if distributed.started_by_launcher():
        with distributed.joined(device, config.start_timeout) as process:
            folder = distributed.from_leader(lambda: prepare_run(config, process.world), process)
            return _train_unless_complete(folder, process, device)
    processes = distributed.choose_processes(config.processes, device)
    # Unpacks the sample, and fetches torchvision's weights, once, before several processes ask for them.
    data_folder(config.data.given_path)
    if config.weights is not None:
        weights_file(config.arch.name, config.weights)
    folder = prepare_run(config, processes)
    try:
        if processes == 1:
            return _train_unless_complete(folder, distributed.Process(), device)
        return launch(_train_child, processes, folder, device, config.start_timeout)
    except (UserError, SystemExit):
        _mark_failed(folder)
        discard_unstarted(folder)
        raise


def _mark_failed(folder: Path) -> None:
    """Correct the status of a run whose leader was killed before it could."""
    status = load_status(folder)
    if status is not None and status["state"] == "running":
        write_status(folder, "failed", "one of its processes was ended", status["epoch"], status["step"])


def _train_child(folder: Path, device: str, start_timeout: float) -> float:
    with distributed.joined(device, start_timeout) as process:
        return _train_unless_complete(folder, process, device)


def _train_unless_complete(folder: Path, process: distributed.Process, device: str) -> float:
    result = distributed.from_leader(lambda: load_result(folder), process)
    if result is None:
        return train_process(folder, process, device)
    if process.leads:
        print(f"{folder} is already complete; for a new run give another run=NAME\n{result_text(folder, result)}")
    return result["top1_error"]
