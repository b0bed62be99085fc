"""One optimisation step: gradients of all its parts, clipping, whether they are finite, the update, the average."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from functools import reduce

import torch
from torch import nn

from cnnbench.data.loading.device_prefetcher import DeviceBatch, DevicePrefetcher
from cnnbench.runtime.devices import on_cpu, seed_device
from cnnbench.runtime.distributed import without_averaging
from cnnbench.training import monitor
from cnnbench.training.context import TrainContext
from cnnbench.training.data import sample_order
from cnnbench.training.filter_radius import limit_filters
from cnnbench.training.losses import training_loss, wrong_answers
from cnnbench.training.mixing import mix
from cnnbench.training.optimizers.build import set_rate


def train_step(context: TrainContext, batches: DevicePrefetcher, global_step: int, rate: float) -> torch.Tensor:
    """One optimiser step: the mean loss over this process's share of the batch, on the device."""
    config, optimizer, scaler, guard = context.config, context.optimizer, context.scaler, context.guard
    set_rate(optimizer, rate)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    skips = config.on_nonfinite == "skip"
    statistics = [buffer.clone() for buffer in context.model.buffers()] if skips else []
    if guard is not None:
        guard.begin()
    total, wrong = _gradients(context, batches, global_step)
    scaler.unscale_(optimizer)
    if config.clip_norm is not None:
        norm = nn.utils.clip_grad_norm_(parameters, config.clip_norm)
    else:
        norm = monitor.gradient_norm(parameters)
    # With a scaler gradients may overflow; it skips such a step by itself and lowers its factor.
    judged = None if scaler.is_enabled() else norm
    context.monitor.note(global_step, total, judged, wrong)
    if guard is not None:
        guard.judge(total, judged)
    if not skips and on_cpu(context.device):  # the figures lie in memory: nothing is waited for
        stop_if_bad(context)
    skipped = skips and _skip(context, global_step, statistics)
    if not skipped or scaler.is_enabled():
        _update(context)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if not skipped and context.averaged is not None:
        context.averaged.update(global_step, context.steps_per_epoch, None if guard is None else guard.bad)
    return total


def _gradients(context: TrainContext, batches: DevicePrefetcher, global_step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Accumulate the gradients of all parts of a step: its mean loss, and its images wrong at top 1, on the device."""
    config, scaler, guard = context.config, context.scaler, context.guard
    losses, wrong = [], []
    for part in range(config.accumulate):
        with context.preemption.waiting():
            ready = next(batches)
        _seed(context, global_step, part)
        last = part == config.accumulate - 1
        with nullcontext() if last else without_averaging(context.network):
            loss, mistaken = _loss(context, ready, global_step)
            loss = loss if guard is None or not scaler.is_enabled() else guard.poisoned(loss)
            scaler.scale(loss if context.process.world == 1 else monitor.poisoned(loss)).backward()
        losses.append(loss.detach())
        wrong.append(mistaken)
    return reduce(torch.add, losses), reduce(torch.add, wrong)


def _loss(context: TrainContext, ready: DeviceBatch, global_step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of one accumulated part, by its share of the step, and its images wrong at top 1, float32."""
    config, classes = context.config, len(context.data.classes)
    images, target = mix(*ready, classes, config.augment, config.seed, global_step)
    with context.precision.autocast():
        outputs = context.network(images)
    loss = training_loss(outputs, target, config, context.model)
    return loss if config.accumulate == 1 else loss / config.accumulate, wrong_answers(outputs, target)


def _seed(context: TrainContext, *place: int) -> None:
    """Make dropout a function of (seed, step, part, process) too: no generator has to be saved."""
    numbers = context.config.seed, *place, context.process.rank
    seed = int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "big") >> 1
    seed_device(context.device, seed)


def _update(context: TrainContext) -> None:
    """Change the weights by their gradients; on an accelerator without effect once a step was not finite."""
    optimizer, scaler, radius = context.optimizer, context.scaler, context.config.filter_radius

    def step() -> None:
        scaler.step(optimizer)
        if radius is not None:
            limit_filters(context.model, radius)

    if context.guard is None or scaler.is_enabled():  # which holds back an update by itself
        step()
    else:
        context.guard.update(optimizer, step, more=radius is not None)


def _skip(context: TrainContext, global_step: int, statistics: list[torch.Tensor]) -> bool:
    """Whether the step was not finite and is to have no effect: `statistics` are the network's buffers before it."""
    watch = context.monitor
    bad = watch.ask()
    if bad is None:
        watch.skipped = 0
        return False
    for buffer, kept in zip(context.model.buffers(), statistics, strict=True):
        buffer.copy_(kept)
    sentence = _record(context, bad)
    watch.start_again()
    watch.skipped += 1
    if watch.skipped == monitor.IN_A_ROW:
        raise monitor.stop(f"{sentence}; it is the last of {monitor.IN_A_ROW} such steps in a row")
    context.warn(f"warning: {sentence}; it was skipped")
    return True


def stop_if_bad(context: TrainContext) -> None:
    """Raise UserError if a step so far was not finite."""
    if (bad := context.monitor.ask()) is not None:
        raise monitor.stop(_record(context, bad))


def _record(context: TrainContext, bad: monitor.BadStep) -> str:
    seen = monitor.images_of(bad.step, sample_order(context.config, context.data.images))
    return monitor.record_nonfinite(context.folder if context.process.leads else None, bad, seen)
