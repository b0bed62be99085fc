"""The training loop: epochs, what is logged of them, and saves. All that it uses is in the context that it is given."""

from __future__ import annotations

import time
from typing import Any, cast

import torch

from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.runs import checkpoint
from cnnbench.runs.results import EpochMetrics
from cnnbench.runtime.devices import exact_place
from cnnbench.runtime.distributed import (
    average_buffers,
    shorten_timeout,
    sum_over_group,
)
from cnnbench.runtime.errors import Lost, Stopped
from cnnbench.training import monitor, snapshot
from cnnbench.training.context import TrainContext
from cnnbench.training.data import record_broken
from cnnbench.training.leaving import leave, whole_step
from cnnbench.training.schedules import rate_factor
from cnnbench.training.state import TrainState
from cnnbench.training.train_step import stop_if_bad, train_step
from cnnbench.training.validation import evaluate_epoch


def train_epochs(context: TrainContext, state: TrainState, batches: DevicePrefetcher) -> None:
    """Train from `state` to the last epoch; `batches` are this process's parts of steps, from `state` on.

    Raises Stopped, on every process and with all saved, once one of them was asked to stop.
    """
    config = context.config
    try:
        while state.epoch < context.epochs:
            metrics = train_epoch(context, state, batches)
            epoch = state.epoch + 1
            if epoch % config.evaluate_every == 0 or epoch == context.epochs:
                metrics |= evaluate_epoch(context, state)
            metrics["elapsed_seconds"] = state.seconds + state.evaluation_seconds + state.saving_seconds
            state.epoch, state.step, state.loss_sum, state.counted, state.wrong = epoch, 0, 0.0, 0, 0
            state.metrics.append(cast(EpochMetrics, metrics))
            if context.log is not None:
                context.log.scalars("epoch", context.step_at(epoch), metrics)
            begun = time.perf_counter()
            _save(context, state, _names(context, state))
            state.saving_seconds += time.perf_counter() - begun
    except (Stopped, Lost) as why:
        raise leave(context, state, why, lambda: _save_last(context, state)) from why
    context.checkpointer.finish()


def train_epoch(context: TrainContext, state: TrainState, batches: DevicePrefetcher) -> dict[str, Any]:
    """Train from state.step to the end of the epoch; the epoch's figures."""
    config, log, before = context.config, context.log, state.epoch * context.steps_per_epoch
    steps = context.steps_of(state.epoch)
    context.frozen.train(context.model)
    first, start, waited_before = state.step, time.perf_counter(), batches.waited
    for step in range(first, steps):
        _boundary(context)
        global_step = before + step
        rate = _rate(context, state, global_step)
        with whole_step(context):
            loss = train_step(context, batches, global_step, rate)
        state.step = step + 1
        if log is not None:
            elapsed = time.perf_counter() - start
            speed = (step + 1 - first) * config.chosen_batch / elapsed
            waited = batches.waited - waited_before
            figures = {"loss": loss, "rate": rate, "images_per_second": speed, "data_wait": waited / elapsed}
            if state.counted:  # as of the last look at the device
                figures["error"] = 100 * state.wrong / (state.counted * config.chosen_batch / context.process.world)
            log.scalars("step", global_step + 1, figures)
        saves = (step + 1) % config.save_every == 0 and step + 1 < steps
        if saves or step + 1 == steps or (global_step + 1) % monitor.EVERY == 0:
            _ask_monitor(context, state, global_step + 1)
        if saves:
            _save(context, state)
        if step == first:
            shorten_timeout(context.process, config.timeout)
    if first < steps:  # else it was stopped in the evaluation, and they are averaged
        _average_buffers(context)
    mean_loss, wrong, images = _training_figures(context, state)
    context.warn(_getting_worse(context, mean_loss, state.lowest_loss))
    state.lowest_loss = min(mean_loss, state.lowest_loss or mean_loss)
    elapsed, waited = time.perf_counter() - start, batches.waited - waited_before
    state.seconds += elapsed
    state.waiting_seconds += waited
    state.steps_timed += steps - first
    return {
        "epoch": state.epoch + 1,
        "step": before + steps,
        "train_loss": mean_loss,
        "train_top1_error": 100 * wrong / max(1, images),
        "train_n": images,
        "rate": _rate(context, state, before + steps - 1),
        "images_per_second": (steps - first) * config.chosen_batch / elapsed,
        "data_wait": waited / elapsed,
        "training_seconds": elapsed,
        "images_per_second_needed": (steps - first) * config.chosen_batch / max(elapsed - waited, 1e-9),
        "images_per_second_supplied": context.data.training.supplied() * context.process.world,
    }


def _training_figures(context: TrainContext, state: TrainState) -> tuple[float, int, int]:
    """Of the epoch, over all processes: mean loss, images wrong at top 1, images."""
    place = exact_place(context.device)
    own = torch.tensor([state.loss_sum, state.counted, state.wrong], dtype=torch.float64, device=place)
    total, counted, wrong = sum_over_group(own, context.process).tolist()
    images = round(counted / context.process.world * context.config.chosen_batch)
    return total / max(1, counted), int(wrong), images


def _boundary(context: TrainContext) -> None:
    """Between two steps: leave if a save has failed or somebody was asked to stop."""
    context.checkpointer.check()
    context.preemption.check()


def _rate(context: TrainContext, state: TrainState, global_step: int) -> float:
    config = context.config
    factor = rate_factor(config.schedule, global_step, context.steps_per_epoch, config.epochs, state.errors)
    return context.full_rate * factor


def _ask_monitor(context: TrainContext, state: TrainState, steps_done: int) -> None:
    """Count the steps so far in `state`; raise UserError if one of their steps was not finite; warn if the network
    does not learn. Before every save."""
    stop_if_bad(context)
    steps = context.monitor.take()
    for loss, wrong in steps:  # one by one, so that the sum does not depend on when it is asked
        state.loss_sum += loss
        state.wrong += wrong
    state.counted += len(steps)
    if steps_done == monitor.STUCK_AFTER and steps:
        mean_loss = sum(step.loss for step in steps) / len(steps)
        context.warn(monitor.stuck(mean_loss, len(context.data.classes), _heads(context)))


def _heads(context: TrainContext) -> float:
    """The sum of the weights of the classifier and of auxiliary heads in the loss."""
    return 1.0 + sum(getattr(context.model, "aux_weights", ()))


def _getting_worse(context: TrainContext, mean_loss: float, lowest: float | None) -> str | None:
    """A warning if the mean loss of an epoch is above the lowest: far, or where frozen features are the reason."""
    worse = monitor.worse_than_nothing(mean_loss, len(context.data.classes), _heads(context))
    if context.config.freeze is not None and lowest is not None and mean_loss > lowest and worse is not None:
        return worse
    return monitor.diverging(mean_loss, lowest)


def _average_buffers(context: TrainContext) -> None:
    for model in (context.model, *([context.averaged.module] if context.averaged is not None else [])):
        moving = [buffer for name, buffer in model.named_buffers() if not context.frozen.holds(name)]
        average_buffers(moving, context.process)


def _names(context: TrainContext, state: TrainState) -> tuple[str, ...]:
    """Under which names the checkpoint at the end of an epoch is kept, beside last."""
    every, names = context.config.keep_every, []
    if state.best_epoch == state.epoch:
        names.append(checkpoint.BEST)
    if every is not None and state.epoch % every == 0:
        names.append(checkpoint.of_epoch(state.epoch))
    return tuple(names)


def _save(context: TrainContext, state: TrainState, also: tuple[str, ...] = ()) -> None:
    """Begin to save; called on every process."""
    content = snapshot.content(context, state)
    record_broken(context.folder, context.data.training, context.process)
    if content is not None:
        where = state.epoch, context.step_at(state.epoch, state.step)
        context.checkpointer.save(content, where, also)


def _save_last(context: TrainContext, state: TrainState) -> None:
    """Save between two steps, or from the midst of one that was given up."""
    _ask_monitor(context, state, context.step_at(state.epoch, state.step))
    _save(context, state)
