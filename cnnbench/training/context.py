"""The training context: everything that the loop uses in one process, built from the config, model and data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.archs.compiled import WholeBatches, compiled
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runs.environment import load_starts
from cnnbench.runs.paths import CHECKPOINTS, CONFIG
from cnnbench.runtime import distributed
from cnnbench.runtime.devices import on_cpu
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.files import read_text
from cnnbench.runtime.precision import Precision, choose_precision
from cnnbench.training.async_checkpointer import AsyncCheckpointer
from cnnbench.training.averages import AveragedWeights, of_run
from cnnbench.training.data import TrainData
from cnnbench.training.frozen import Frozen, freeze
from cnnbench.training.guard import Guard
from cnnbench.training.log import Log
from cnnbench.training.monitor import NonFiniteMonitor
from cnnbench.training.optimizers.build import build_optimizer, module_factors, scaled_learning_rate
from cnnbench.training.preemption import Preemption


@dataclass
class TrainContext:
    """One process's part of a run."""

    config: TrainConfig
    folder: Path
    process: Process
    data: TrainData
    model: nn.Module  # the bare network: saved and evaluated
    network: nn.Module  # the same, compiled and wrapped: trained
    evaluated: list[nn.Module]  # the same, and the average if there is one, compiled
    averaged: AveragedWeights | None  # of `model`
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: Precision
    normalise: Normalise
    full_rate: float
    monitor: NonFiniteMonitor
    guard: Guard | None  # on an accelerator, unless each step is asked for
    checkpointer: AsyncCheckpointer
    preemption: Preemption
    config_text: str = ""  # config.yaml, and what environment.json says, for checkpoints
    starts: list[dict[str, Any]] = field(default_factory=list)
    log: Log | None = None  # the leader's
    frozen: Frozen = field(default_factory=Frozen)  # of `model`

    @property
    def steps_per_epoch(self) -> int:
        return self.data.images // self.config.chosen_batch

    @property
    def epochs(self) -> int:
        """Epochs that the run trains; the last may be cut by max_steps."""
        most = self.config.max_steps
        return self.config.epochs if most is None else min(self.config.epochs, -(-most // self.steps_per_epoch))

    def steps_of(self, epoch: int) -> int:
        """Steps of the epoch with that number, from 0 on."""
        return self.step_at(epoch + 1) - epoch * self.steps_per_epoch

    def step_at(self, epoch: int, step: int = 0) -> int:
        """Steps of the whole run that are done after so many epochs, and so many steps of the next."""
        done = epoch * self.steps_per_epoch + step
        return done if self.config.max_steps is None else min(done, self.config.max_steps)

    def warn(self, sentence: str | None) -> None:
        """Print `sentence`, if there is one, on the leader."""
        if sentence is not None and self.log is not None:
            self.log.say(sentence)

    @property
    def device(self) -> torch.device:
        return self.normalise.device


def build_context(
    config: TrainConfig,
    model: nn.Module,
    data: TrainData,
    folder: Path,
    process: Process | None = None,
    preemption: Preemption | None = None,
) -> TrainContext:
    """What trains `model`, which is on its device, on `data` by `config`, with its checkpoints in `folder`.

    `process`: None: alone. `preemption`: None: nobody asks it to stop.
    """
    process = process or Process()
    device = next(model.parameters()).device
    precision = choose_precision(config.precision, device.type)
    guard = None if on_cpu(device) or config.on_nonfinite == "skip" else Guard(model)
    frozen = freeze(model, config)  # before it is wrapped, which counts the weights that have gradients
    factors = module_factors(model, config.optimizer, input_size(config), config.arch.in_channels)
    average = of_run(config.average, config.chosen_batch, config.epochs)
    averaged = AveragedWeights(model, average) if average.kind != "none" else None
    networks = [model, *([averaged.module] if averaged is not None else [])]
    inner = [compiled(network, config.compile_mode) for network in networks] if config.compile else networks
    return TrainContext(
        config=config,
        folder=folder,
        process=process,
        data=data,
        model=model,
        network=distributed.wrap(inner[0], process, device),
        evaluated=[WholeBatches(network) for network in inner] if config.compile else networks,
        averaged=averaged,
        optimizer=build_optimizer(model, config.optimizer, config.chosen_batch, factors),
        scaler=precision.scaler(),
        precision=precision,
        normalise=Normalise(config.arch, device, config.channels_last, config.augment),
        full_rate=scaled_learning_rate(config.optimizer, config.chosen_batch),
        monitor=NonFiniteMonitor(device),
        guard=guard,
        checkpointer=AsyncCheckpointer(folder / CHECKPOINTS),
        preemption=preemption or Preemption(process, None),
        config_text=read_text(folder / CONFIG) or "",
        starts=load_starts(folder),
        frozen=frozen,
    )
