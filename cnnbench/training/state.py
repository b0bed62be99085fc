"""What a run is made of, in one process: where it stands, and all that the loop uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.config.schema import TrainConfig
from cnnbench.data.loading.loader import Loader
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.precision import Precision
from cnnbench.training.async_checkpointer import AsyncCheckpointer
from cnnbench.training.averages import AveragedWeights
from cnnbench.training.loggers.log import Log
from cnnbench.training.monitor import NonFiniteMonitor
from cnnbench.training.preemption import Preemption


@dataclass
class TrainState:
    """Where a run stands: what a checkpoint holds beside tensors."""

    epoch: int = 0  # epochs done, evaluation included
    step: int = 0  # optimiser steps done in the epoch under way; all of them while it is evaluated
    loss_sum: float = 0.0  # over those steps, of this process
    counted: float = 0  # steps that loss_sum covers: all but those skipped
    seconds: float = 0.0  # spent in training steps, over the whole run
    steps_timed: int = 0  # steps that `seconds` covers
    waiting_seconds: float = 0.0  # of `seconds`, those spent waiting for data
    evaluation_seconds: float = 0.0  # spent in evaluation, over the whole run
    saving_seconds: float = 0.0  # in which saves at the ends of epochs kept the loop, over the whole run
    counts: tuple[int, int, int] | None = None  # of the last evaluation: wrong at top 1, wrong at top 5, images
    best_top1_error: float | None = None
    best_epoch: int | None = None
    errors: list[float] = field(default_factory=list)  # top-1, percent, of all evaluations: what plateau goes by
    averaged_counts: tuple[int, int, int] | None = None  # as `counts`, with the averaged weights
    lowest_loss: float | None = None  # training loss, mean of an epoch


@dataclass
class TrainContext:
    """One process's part of a run."""

    config: TrainConfig
    folder: Path
    process: Process
    model: nn.Module  # the bare network: saved and evaluated
    network: nn.Module  # the same, compiled and wrapped: trained
    averaged: AveragedWeights | None  # of `model`
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: Precision
    normalise: Normalise
    full_rate: float
    steps_per_epoch: int
    loader: Loader  # of training images
    validation: Loader
    record: dict[str, Any]  # what a checkpoint says of the network: arch, classes, config
    watch: NonFiniteMonitor
    saver: AsyncCheckpointer
    stopping: Preemption
    log: Log | None  # the leader's
