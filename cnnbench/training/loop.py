"""The training loop: steps, epochs, evaluation, saves. Everything that it uses is in the context that it is given."""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import nullcontext
from functools import reduce
from typing import Any, cast

import torch
from torch import nn

from cnnbench.data.loading.device_prefetcher import DeviceBatch, DevicePrefetcher
from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.runs import checkpoint
from cnnbench.runs.results import EpochMetrics
from cnnbench.runtime.devices import exact_place, on_cpu, seed_device
from cnnbench.runtime.distributed import (
    average_buffers,
    shorten_timeout,
    sum_over_group,
    without_averaging,
)
from cnnbench.runtime.errors import Lost, Stopped
from cnnbench.training import monitor, snapshot
from cnnbench.training.context import TrainContext
from cnnbench.training.data import record_broken, sample_order
from cnnbench.training.filter_radius import limit_filters
from cnnbench.training.leaving import leave, whole_step
from cnnbench.training.losses import training_loss, wrong_answers
from cnnbench.training.mixing import mix
from cnnbench.training.optimizers.build import set_rate
from cnnbench.training.renewal import renew_statistics
from cnnbench.training.schedules import rate_factor
from cnnbench.training.state import TrainState


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
                metrics |= _evaluate(context, state)
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
    _warn(context, _getting_worse(context, mean_loss, state.lowest_loss))
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


def train_step(context: TrainContext, batches: DevicePrefetcher, global_step: int, rate: float) -> torch.Tensor:
    """One optimiser step: the mean loss over this process's share of the batch, on the device."""
    config, optimizer, scaler, guard = context.config, context.optimizer, context.scaler, context.guard
    set_rate(optimizer, rate)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    skips = config.on_nonfinite == "skip"
    statistics = [buffer.clone() for buffer in context.model.buffers()] if skips else []
    if guard is not None:
        guard.begin()
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
    total = reduce(torch.add, losses)
    scaler.unscale_(optimizer)
    if config.clip_norm is not None:
        norm = nn.utils.clip_grad_norm_(parameters, config.clip_norm)
    else:
        norm = monitor.gradient_norm(parameters)
    # With a scaler gradients may overflow; it skips such a step by itself and lowers its factor.
    judged = None if scaler.is_enabled() else norm
    context.monitor.note(global_step, total, judged, reduce(torch.add, wrong))
    if guard is not None:
        guard.judge(total, judged)
    if not skips and on_cpu(context.device):  # the figures lie in memory: nothing is waited for
        _stop_if_bad(context)
    skipped = skips and _skip(context, global_step, statistics)
    if not skipped or scaler.is_enabled():
        _update(context)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if not skipped and context.averaged is not None:
        context.averaged.update(global_step, context.steps_per_epoch, None if guard is None else guard.bad)
    return total


def _loss(context: TrainContext, ready: DeviceBatch, global_step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of one accumulated part, by its share of the step, and its images wrong at top 1, float32."""
    config, classes = context.config, len(context.data.classes)
    images, target = mix(*ready, classes, config.augment, config.seed, global_step)
    with context.precision.autocast():
        outputs = context.network(images)
    loss = training_loss(outputs, target, config, context.model)
    return loss if config.accumulate == 1 else loss / config.accumulate, wrong_answers(outputs, target)


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
    _warn(context, f"warning: {sentence}; it was skipped")
    return True


def _ask_monitor(context: TrainContext, state: TrainState, steps_done: int) -> None:
    """Count the steps so far in `state`; raise UserError if one of their steps was not finite; warn if the network
    does not learn. Before every save."""
    _stop_if_bad(context)
    steps = context.monitor.take()
    for loss, wrong in steps:  # one by one, so that the sum does not depend on when it is asked
        state.loss_sum += loss
        state.wrong += wrong
    state.counted += len(steps)
    if steps_done == monitor.STUCK_AFTER and steps:
        mean_loss = sum(step.loss for step in steps) / len(steps)
        _warn(context, monitor.stuck(mean_loss, len(context.data.classes), _heads(context)))


def _heads(context: TrainContext) -> float:
    """The sum of the weights of the classifier and of auxiliary heads in the loss."""
    return 1.0 + sum(getattr(context.model, "aux_weights", ()))


def _getting_worse(context: TrainContext, mean_loss: float, lowest: float | None) -> str | None:
    """A warning if the mean loss of an epoch is above the lowest: far, or where frozen features are the reason."""
    worse = monitor.worse_than_nothing(mean_loss, len(context.data.classes), _heads(context))
    if context.config.freeze is not None and lowest is not None and mean_loss > lowest and worse is not None:
        return worse
    return monitor.diverging(mean_loss, lowest)


def _stop_if_bad(context: TrainContext) -> None:
    """Raise UserError if a step so far was not finite."""
    if (bad := context.monitor.ask()) is not None:
        raise monitor.stop(_record(context, bad))


def _record(context: TrainContext, bad: monitor.BadStep) -> str:
    seen = monitor.images_of(bad.step, sample_order(context.config, context.data.images))
    return monitor.record_nonfinite(context.folder if context.process.leads else None, bad, seen)


def _warn(context: TrainContext, sentence: str | None) -> None:
    if sentence is not None and context.log is not None:
        context.log.say(sentence)


def _average_buffers(context: TrainContext) -> None:
    for model in (context.model, *([context.averaged.module] if context.averaged is not None else [])):
        moving = [buffer for name, buffer in model.named_buffers() if not context.frozen.holds(name)]
        average_buffers(moving, context.process)


def _evaluate(context: TrainContext, state: TrainState) -> dict[str, float]:
    """Errors on the validation images, also noted in `state`. The raw weights alone decide on best and plateau,
    on the images held out if there are any.

    Raises UserError for a loss that is not finite."""
    begun = time.perf_counter()
    renew_statistics(context, state)
    with context.preemption.waiting(), context.preemption.together():
        (counts, loss), *others = evaluate(
            context.evaluated,
            context.data.validation,
            context.normalise,
            context.precision,
            context.process,
            context.preemption.check,
        )
        held = _held_out(context)
    losses = [loss, *(loss for _, loss in others), *(loss for _, loss in held)]
    if not all(map(math.isfinite, losses)):
        raise monitor.stop_after_evaluation(state.epoch + 1, losses)
    figures = {"val_loss": loss, **_errors("", counts), "n": counts.n}
    for averaged, loss in others:
        state.averaged_counts = (averaged.wrong1, averaged.wrong5, averaged.n)
        figures |= {"averaged_val_loss": loss, **_errors("averaged_", averaged)}
    seconds = time.perf_counter() - begun
    state.evaluation_seconds += seconds
    state.counts = (counts.wrong1, counts.wrong5, counts.n)
    choosing = counts
    for choosing, loss in held:
        state.holdout_counts = (choosing.wrong1, choosing.wrong5, choosing.n)
        figures |= {"holdout_loss": loss, **_errors("holdout_", choosing), "holdout_n": choosing.n}
    state.errors.append(choosing.top1_error)
    if state.best_top1_error is None or choosing.top1_error < state.best_top1_error:
        state.best_top1_error, state.best_epoch = choosing.top1_error, state.epoch + 1
    return figures | {"evaluation_seconds": seconds}


def _errors(of: str, counts: Counts) -> dict[str, float]:
    """The figures of an epoch that `counts` are, by names that begin with `of`."""
    return {f"{of}top1_error": counts.top1_error, f"{of}top5_error": counts.top5_error}


def _held_out(context: TrainContext) -> list[tuple[Counts, float]]:
    """Counts and loss of the weights on the images that were held out; [] without any."""
    batches, process = context.data.holdout, context.process
    if batches is None:
        return []
    return evaluate([context.model], batches, context.normalise, context.precision, process, context.preemption.check)


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


def _seed(context: TrainContext, *place: int) -> None:
    """Make dropout a function of (seed, step, part, process) too: no generator has to be saved."""
    numbers = context.config.seed, *place, context.process.rank
    seed = int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "big") >> 1
    seed_device(context.device, seed)
