"""One training process: makes all that the loop needs from the config in the run's folder, then runs the loop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.archs.activation_checkpointing import apply_memory
from cnnbench.archs.from_config import build_network
from cnnbench.archs.norms import batch_norms, with_ghost_batches
from cnnbench.config.fields import value_of
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.config.weights import chosen_weights
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.runs import checkpoint, lock
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import CHECKPOINTS
from cnnbench.runtime import distributed
from cnnbench.runtime.compiler import leave_compiler_unimported
from cnnbench.runtime.device_memory import PeakMemory
from cnnbench.runtime.devices import device_of, memory_format, only_deterministic, share_cores
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import peak_resident
from cnnbench.runtime.nvml import Meter, meter_of
from cnnbench.training.banner import banner
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData, list_broken, open_loaders, rest_of_run
from cnnbench.training.explained import explained
from cnnbench.training.log import Log
from cnnbench.training.loggers.logger import LoggedRun
from cnnbench.training.loop import train_epochs
from cnnbench.training.pictures import show_end, show_start
from cnnbench.training.preemption import listening
from cnnbench.training.result import over_group, save_result
from cnnbench.training.snapshot import restore
from cnnbench.training.splits import read_splits
from cnnbench.training.state import TrainState
from cnnbench.training.status import Status

SHAPED_BY = ("arch.name", "arch.options", "optimizer.kind", "average.kind")  # what the state of a run is made for


def train_process(folder: Path, process: Process, device_name: str) -> float:
    """Train the run in `folder` as `process` of its group, from its last checkpoint on; in percent, the
    top-1 error by which a sweep chooses.

    Raises Stopped, saved, once one of the processes was asked to stop. status.json says how it ended.
    """
    config = load_config(folder)
    device = device_of(process.local_rank, device_name)
    _set_up_torch(config, process, device_name)
    peak, meter = PeakMemory(device), meter_of(device)
    with (
        lock.held(folder, heir=True) if process.leads else nullcontext(),
        Status(folder, process) as status,
        listening(process, config.max_hours, status.leaves) as preemption,
    ):
        splits = read_splits(config)
        with open_loaders(config, splits, process, device) as (data, loader):
            model = build_model(config, len(data.classes), process, device, data.classes)
            context = build_context(config, model, data, folder, process, preemption)
            state = _continue(context)
            status.continues(context)
            if process.leads:
                print(banner(context, state, splits, loader), flush=True)
                context.log = _open_log(context, state)
                if context.checkpointer.saved[1] == 0:
                    show_start(context, context.log, loader.images)
            try:
                if state.epoch < context.epochs:
                    batches = loader.batches(rest_of_run(config, data.images, state, process))
                    with explained(context, process.world):
                        train_epochs(context, state, DevicePrefetcher(batches, context.normalise))
                told = over_group(distributed.gather_to_leader(_measured(peak, meter), process))
                if context.log is not None:
                    show_end(context, context.log, state)
            finally:
                list_broken(folder, data.training, process)
                if context.log is not None:
                    context.log.close()
        if process.leads:
            save_result(context, state, told)
    return state.errors[-1]


def _measured(peak: PeakMemory, meter: Meter) -> dict[str, float]:
    """What is told of this process's memory and device in this start."""
    memory = {"peak_memory": peak.read(), "peak_resident": peak_resident()}
    return {name: value for name, value in memory.items() if value is not None} | meter.read()


def build_model(
    config: TrainConfig, classes: int, process: Process, device: torch.device, names: Sequence[str] = ()
) -> nn.Module:
    """The network of the config for so many classes, with these `names` where they are known, with its first weights,
    on `device`."""
    torch.manual_seed(config.seed)
    tell = print if process.leads else None
    size = input_size(config)
    model = build_network(config.arch, classes, size, chosen_weights(config), names, tell)
    model.to(device).to(memory_format=memory_format(config.channels_last, device))
    check_norms(config, model)
    if config.bn_group is not None:
        with_ghost_batches(model, config.bn_group)
    if config.sync_batchnorm:
        model = distributed.with_sync_batchnorm(model, process)
    apply_memory(model, config.memory)
    return model


def check_norms(config: TrainConfig, model: nn.Module) -> None:
    """Raise UserError for keys of batch normalisation where there is none."""
    for name in ("bn_group", "precise_bn", "sync_batchnorm"):
        if getattr(config, name) not in (None, False) and not batch_norms(model):
            raise UserError(f"{name} acts on batch normalisation, and {config.arch.name} has none: leave it out")


def _open_log(context: TrainContext, state: TrainState) -> Log:
    config, step = context.config, context.checkpointer.saved[1]
    place = (config.epochs, context.steps_per_epoch, state.epoch, step)
    run = LoggedRun(context.folder, *place, config.log_every, state.metrics)
    return Log(run, config.logger)


def _continue(context: TrainContext) -> TrainState:
    """Put the run's last checkpoint, if there is one, into `context`; where it stands."""
    checkpoints, process = context.folder / CHECKPOINTS, context.process
    path = distributed.from_leader(lambda: checkpoint.find_last(checkpoints), process)
    if path is None:
        return TrainState()
    content = checkpoint.load(path)
    check_own(path, content, context.config)
    check_data(context.folder, content, context.data)
    state = restore(context, content)
    context.checkpointer.saved = state.epoch, context.step_at(state.epoch, state.step)
    return state


def check_own(path: Path, content: dict[str, Any], config: TrainConfig) -> None:
    """Raise UserError if the checkpoint at `path` is of another network, optimiser or average: of another run, then."""
    for name in SHAPED_BY:
        group, _, key = name.partition(".")
        before, now = content["config"][group][key], value_of(config, name)
        if before != now:
            raise UserError(
                f"{path} is of a run with {name}={before}, and this one has {now}: put its own checkpoint back, or "
                "give another run=NAME"
            )


def check_data(folder: Path, before: dict[str, Any], now: TrainData) -> None:
    """Raise UserError if a run would continue on other data than it began with: its order of images would be lost."""
    if not checkpoint.is_of(before, now.images, now.classes):
        raise UserError(
            f"{folder} was trained on {before['images']} images of {len(before['classes'])} classes, and the data "
            f"now has {now.images} images of {len(now.classes)} classes with other names or numbers: "
            "continue on the same data, or give another run=NAME"
        )


def _set_up_torch(config: TrainConfig, process: Process, device: str) -> None:
    share_cores(process.world, device)
    if not config.compile:
        leave_compiler_unimported()
    only_deterministic(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    torch.set_float32_matmul_precision("high")  # TensorFloat-32 for float32 on GPUs that have it
