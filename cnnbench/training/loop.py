"""The training loop: steps, epochs, evaluation, saves. Everything that it uses is made in worker.py."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.config import TrainConfig
from cnnbench.data.loader import Batch, Loader
from cnnbench.data.normalise import Normalise
from cnnbench.distributed import Process, average_buffers, sum_over_group, without_averaging
from cnnbench.errors import UserError
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.precision import Precision
from cnnbench.training import checkpoint
from cnnbench.training.ema import AveragedWeights
from cnnbench.training.log import Log
from cnnbench.training.loss import training_loss
from cnnbench.training.optim import renormalise
from cnnbench.training.schedule import rate_factor


@dataclass
class Position:
    """Where a run stands: what a checkpoint holds beside tensors."""

    epoch: int = 0  # epochs done
    step: int = 0  # optimiser steps done in the epoch under way
    loss_sum: float = 0.0  # over those steps, mean of all processes
    seconds: float = 0.0  # spent in training steps, over the whole run
    steps_timed: int = 0  # steps that `seconds` covers
    counts: tuple[int, int, int] | None = None  # of the last evaluation: wrong at top 1, wrong at top 5, images
    best_top1_error: float | None = None
    best_epoch: int | None = None
    errors: list[float] = field(default_factory=list)  # top-1, percent, of all evaluations: what plateau goes by
    averaged_counts: tuple[int, int, int] | None = None  # as `counts`, with the averaged weights


@dataclass
class Training:
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
    validation: Loader
    record: dict[str, Any]  # what a checkpoint says of the network: arch, classes, config
    log: Log | None  # the leader's


def train_epochs(training: Training, position: Position, batches: Iterator[Batch]) -> None:
    """Train from `position` to the last epoch; `batches` are this process's parts of steps, from `position` on."""
    config = training.config
    while position.epoch < config.epochs:
        metrics = _train_epoch(training, position, batches)
        _average_buffers(training)
        position.epoch, position.step, position.loss_sum = position.epoch + 1, 0, 0.0
        if position.epoch % config.evaluate_every == 0 or position.epoch == config.epochs:
            metrics |= _evaluate(training, position)
        if training.log is not None:
            training.log.end_epoch(position.epoch * training.steps_per_epoch, metrics)
        if position.best_epoch == position.epoch:  # before `last`: what comes after `last` is lost if the run is killed
            _save(training, position, checkpoint.BEST)
        _save(training, position, checkpoint.LAST)


def _train_epoch(training: Training, position: Position, batches: Iterator[Batch]) -> dict[str, float | int]:
    """Train from position.step to the end of the epoch; the epoch's figures."""
    config, log, steps = training.config, training.log, training.steps_per_epoch
    training.model.train()
    if log is not None:
        log.start_epoch(f"epoch {position.epoch + 1}/{config.epochs}", position.step, steps)
    loss_sum = torch.full((), position.loss_sum, dtype=torch.float64, device=training.normalise.device)
    first, start, waited = position.step, time.perf_counter(), 0.0
    for step in range(position.step, steps):
        global_step = position.epoch * steps + step
        rate = training.full_rate * rate_factor(config.schedule, global_step, steps, config.epochs, position.errors)
        loss, wait = _step(training, batches, global_step, rate)
        loss_sum += loss
        waited += wait
        elapsed = time.perf_counter() - start
        if log is not None:
            speed = (step + 1 - first) * config.batch / elapsed
            log.step(step + 1, global_step + 1, loss, rate, speed, waited / elapsed)
        if (step + 1) % config.save_every == 0 and step + 1 < steps:
            _average_buffers(training)
            loss_sum = sum_over_group(loss_sum, training.process) / training.process.world
            position.step, position.loss_sum = step + 1, loss_sum.item()
            _save(training, position, checkpoint.LAST)
    mean_loss = sum_over_group(loss_sum, training.process).item() / (steps * training.process.world)
    if not math.isfinite(mean_loss):
        raise UserError(
            f"the loss became {mean_loss} in epoch {position.epoch + 1}: lower optimizer.lr or set clip_norm"
        )
    elapsed = time.perf_counter() - start
    position.seconds += elapsed
    position.steps_timed += steps - first
    return {
        "epoch": position.epoch + 1,
        "step": (position.epoch + 1) * steps,
        "train_loss": mean_loss,
        "rate": rate,
        "images_per_second": (steps - first) * config.batch / elapsed,
        "data_wait": waited / elapsed,
    }


def _step(training: Training, batches: Iterator[Batch], global_step: int, rate: float) -> tuple[torch.Tensor, float]:
    """One optimiser step: the mean loss over this process's share of the batch (on the device), and seconds waited."""
    config, optimizer, scaler = training.config, training.optimizer, training.scaler
    for parameters in optimizer.param_groups:
        parameters["lr"] = rate
    total, waited = 0.0, 0.0
    for part in range(config.accumulate):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        # Dropout is a function of (seed, step, part, process) too: no generator has to be saved.
        torch.manual_seed(_seed(config.seed, global_step, part, training.process.rank))
        last = part == config.accumulate - 1
        with nullcontext() if last else without_averaging(training.network):
            with training.precision.autocast():
                outputs = training.network(training.normalise(batch))
            loss = training_loss(outputs, batch.labels, config, training.model) / config.accumulate
            scaler.scale(loss).backward()
        total = total + loss.detach()
    if config.clip_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(training.model.parameters(), config.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if config.filter_radius is not None:
        renormalise(training.model, config.filter_radius)
    if training.averaged is not None:
        training.averaged.update(global_step, training.steps_per_epoch)
    return total, waited


def _average_buffers(training: Training) -> None:
    average_buffers(training.model, training.process)
    if training.averaged is not None:
        average_buffers(training.averaged.module, training.process)


def _evaluate(training: Training, position: Position) -> dict[str, float]:
    """Errors on the validation images, also noted in `position`. The raw weights alone decide on best and plateau."""
    rest = (training.validation, training.normalise, training.precision, training.process)
    counts, loss = evaluate(training.model, *rest)
    position.counts = (counts.wrong1, counts.wrong5, counts.n)
    position.errors.append(counts.top1_error)
    if position.best_top1_error is None or counts.top1_error < position.best_top1_error:
        position.best_top1_error, position.best_epoch = counts.top1_error, position.epoch
    figures = {"val_loss": loss, "top1_error": counts.top1_error, "top5_error": counts.top5_error, "n": counts.n}
    if training.averaged is None:
        return figures
    counts, loss = evaluate(training.averaged.module, *rest)
    position.averaged_counts = (counts.wrong1, counts.wrong5, counts.n)
    return figures | {
        "averaged_val_loss": loss,
        "averaged_top1_error": counts.top1_error,
        "averaged_top5_error": counts.top5_error,
    }


def _save(training: Training, position: Position, name: str) -> None:
    if not training.process.leads:
        return
    content = {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scaler": training.scaler.state_dict(),
        "position": asdict(position),
        **training.record,
    }
    if training.averaged is not None:
        content["averaged"] = training.averaged.module.state_dict()
    checkpoint.save(training.folder / "checkpoints", name, content)


def restore(training: Training, content: dict[str, Any]) -> Position:
    """Put a checkpoint's state into `training`, in place; where it stands."""
    training.model.load_state_dict(content["model"])
    if training.averaged is not None:
        training.averaged.module.load_state_dict(content["averaged"])
    training.optimizer.load_state_dict(content["optimizer"])
    training.scaler.load_state_dict(content["scaler"])
    return Position(**content["position"])


def _seed(*numbers: int) -> int:
    """A 63-bit number that depends on all of `numbers`."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "big") >> 1
