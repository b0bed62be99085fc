"""`cnnbench train --dry-run`: all that the start of a run would check, and what the run will need."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cnnbench.analysis.bench.read import read_bench
from cnnbench.analysis.dry_run.estimates import Plan, disk_in_words, files_in_words, memory_in_words, time_in_words
from cnnbench.analysis.dry_run.step_memory import step_memory
from cnnbench.config.dry_run import DryRunConfig
from cnnbench.config.fields import AUTO
from cnnbench.config.train import TrainConfig
from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS, RUNS
from cnnbench.runs.results import load_result
from cnnbench.runs.start import examine
from cnnbench.runtime.backends import CPU, NO_VALUES, backend_of
from cnnbench.runtime.devices import choose_device, choose_processes
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.group import place_in_group
from cnnbench.runtime.precision import choose_precision
from cnnbench.training.banner import in_lines, rows_of
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData
from cnnbench.training.process import build_model, check_data, check_norms
from cnnbench.training.splits import Splits, read_splits
from cnnbench.training.state import TrainState


def dry_run(settings: DryRunConfig) -> None:
    """Print what `cnnbench train` with the same keys would do. Raises UserError as its start would."""
    given = settings.of_training()
    measured = read_bench(settings.bench)["rows"]
    device = _device(given)
    world = settings.world or _world(given, device)
    folder, config = examine(given, world)
    found = config.accumulate == AUTO
    config = replace(config, accumulate=1) if found else config
    splits = read_splits(config)
    network = _network(config, len(splits.train.classes))
    context = _context(config, network, splits, folder, world)
    state = _state(context)
    rows = rows_of(context, state, splits)
    if found:
        rows["batch"] = f"{rows['batch']}; accumulate=auto is found by trial as the run begins, and counted as 1 here"
    rows["run"] = _run(folder, context, state)
    precision, assumed = _precision(config, device)
    memory = step_memory(config, network, len(splits.train.classes), world, precision)
    plan = Plan(context, state, splits, memory, device)
    rows |= {
        "device": f"{device} per process, {precision}{assumed}",
        "memory": memory_in_words(plan),
        "disk": disk_in_words(plan),
        "time": time_in_words(plan, measured),
        "writes": files_in_words(plan),
    }
    print(in_lines("train --dry-run: nothing is written, no step is taken", rows))


def _device(config: TrainConfig) -> str:
    """The kind of device that the run is for: one that is named need not be here."""
    return choose_device("auto") if config.device == "auto" else config.device


def _world(config: TrainConfig, device: str) -> int:
    place = place_in_group(os.environ)
    if place is not None:
        return place.world
    return max(1, choose_processes(config.processes, device))


def _precision(config: TrainConfig, device: str) -> tuple[str, str]:
    """The arithmetic on that kind of device, and what is assumed of one that is not here."""
    here = device in (CPU, choose_device("auto"))
    if here or config.precision != "auto":
        name = choose_precision(config.precision, device).name if here else config.precision
        return name, "" if here else "; there is none on this machine"
    name = "bf16" if backend_of(device).half_by_itself else "float32"
    return name, f"; there is none on this machine, and precision=auto is taken as {name}"


def _network(config: TrainConfig, classes: int) -> nn.Module:
    """The network as a training process makes it, without values; where it starts from weights, they are read."""
    plain = replace(config, sync_batchnorm=False)  # asks for a group, and changes no shape
    place = torch.device(NO_VALUES if config.weights is None else CPU)
    with place:
        network = build_model(plain, classes, Process(), place).to(NO_VALUES)
    check_norms(config, network)
    return network


def _context(config: TrainConfig, network: nn.Module, splits: Splits, folder: Path | None, world: int) -> TrainContext:
    """What the loop would get, of one process in a group that is not there."""
    train = splits.train
    about = {"form": train.storage.form, "pixels": config.data.pixels}
    nothing = None  # loaders, which nobody asks
    data = TrainData(train.classes, len(train), nothing, nothing, about, splits.files)  # type: ignore[arg-type]
    plain = replace(config, precision="float32", compile=False)
    context = build_context(plain, network, data, folder or RUNS / config.arch.name)
    return replace(context, config=config, process=Process(rank=0, world=world))


def _state(context: TrainContext) -> TrainState:
    """Where the run stands, by its last whole checkpoint."""
    content = checkpoint.newest(context.folder / CHECKPOINTS)
    if content is None:
        return TrainState()
    check_data(context.folder, content, context.data)
    return TrainState(**content["state"])


def _run(folder: Path | None, context: TrainContext, state: TrainState) -> str:
    if folder is None:
        return f"a new folder in {RUNS}/, named {context.config.arch.name} and the time; run=NAME gives another"
    if load_result(folder) is not None:
        return f"{folder} (complete: the command would only tell its result again)"
    if state.epoch or state.step:
        done = f"after epoch {state.epoch}" + f", step {state.step} of the next" * (state.step > 0)
        return f"{folder} (there already; it would be continued {done})"
    return f"{folder} (new)"
