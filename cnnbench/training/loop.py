"""The training loop: steps, epochs, evaluation, saves. Everything that it uses is made in worker.py."""

from __future__ import annotations

import hashlib
import time
from contextlib import nullcontext

import torch
from torch import nn

from cnnbench.data.loading.device_prefetcher import DeviceBatch, DevicePrefetcher
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.runs import checkpoint
from cnnbench.runtime.distributed import (
    average_buffers,
    shorten_timeout,
    sum_over_group,
    wait_for_all,
    without_averaging,
)
from cnnbench.runtime.errors import Stopped
from cnnbench.training import monitor, snapshot
from cnnbench.training.losses import training_loss
from cnnbench.training.mixing import mix
from cnnbench.training.optimizers.build import renormalise
from cnnbench.training.schedules import rate_factor
from cnnbench.training.state import TrainContext, TrainState


def train_epochs(training: TrainContext, position: TrainState, batches: DevicePrefetcher) -> None:
    """Train from `position` to the last epoch; `batches` are this process's parts of steps, from `position` on.

    Raises Stopped, on every process and with all saved, once one of them was asked to stop.
    """
    config = training.config
    try:
        while position.epoch < config.epochs:
            metrics = train_epoch(training, position, batches)
            epoch = position.epoch + 1
            if epoch % config.evaluate_every == 0 or epoch == config.epochs:
                metrics |= _evaluate(training, position)
            metrics["elapsed_seconds"] = position.seconds + position.evaluation_seconds + position.saving_seconds
            position.epoch, position.step, position.loss_sum, position.counted = epoch, 0, 0.0, 0
            if training.log is not None:
                training.log.end_epoch(epoch * training.steps_per_epoch, metrics)
            begun = time.perf_counter()
            _save(training, position, _names(training, position))
            position.saving_seconds += time.perf_counter() - begun
    except Stopped:
        _save(training, position)
        training.saver.finish()
        wait_for_all(training.process)  # or launchers end those that still write when the first has left
        raise
    training.saver.finish()


def train_epoch(training: TrainContext, position: TrainState, batches: DevicePrefetcher) -> dict[str, float | int]:
    """Train from position.step to the end of the epoch; the epoch's figures."""
    config, log, steps = training.config, training.log, training.steps_per_epoch
    training.model.train()
    if log is not None:
        log.start_epoch(f"epoch {position.epoch + 1}/{config.epochs}", position.step, steps)
    first, start, waited_before = position.step, time.perf_counter(), batches.waited
    for step in range(first, steps):
        _boundary(training, position)
        global_step = position.epoch * steps + step
        rate = _rate(training, position, global_step)
        loss = _step(training, batches, global_step, rate)
        position.step = step + 1
        if log is not None:
            elapsed = time.perf_counter() - start
            speed = (step + 1 - first) * config.batch / elapsed
            waited = batches.waited - waited_before
            log.step(step + 1, global_step + 1, loss, rate, speed, waited / elapsed)
        saves = (step + 1) % config.save_every == 0 and step + 1 < steps
        if saves or step + 1 == steps or (global_step + 1) % monitor.EVERY == 0:
            _ask_watch(training, position, global_step + 1)
        if saves:
            _save(training, position)
        if step == first:
            shorten_timeout(training.process, config.timeout)
    if first < steps:  # else it was stopped in the evaluation, and they are averaged
        _average_buffers(training)
    sums = [position.loss_sum, position.counted]
    device = training.normalise.device
    total, counted = sum_over_group(torch.tensor(sums, dtype=torch.float64, device=device), training.process).tolist()
    mean_loss = total / max(1, counted)
    _warn(training, monitor.diverging(mean_loss, position.lowest_loss))
    position.lowest_loss = min(mean_loss, position.lowest_loss or mean_loss)
    elapsed, waited = time.perf_counter() - start, batches.waited - waited_before
    position.seconds += elapsed
    position.waiting_seconds += waited
    position.steps_timed += steps - first
    return {
        "epoch": position.epoch + 1,
        "step": (position.epoch + 1) * steps,
        "train_loss": mean_loss,
        "rate": _rate(training, position, (position.epoch + 1) * steps - 1),
        "images_per_second": (steps - first) * config.batch / elapsed,
        "data_wait": waited / elapsed,
        "training_seconds": elapsed,
        "images_per_second_needed": (steps - first) * config.batch / max(elapsed - waited, 1e-9),
        "images_per_second_supplied": training.loader.supplied() * training.process.world,
    }


def _boundary(training: TrainContext, position: TrainState) -> None:
    """Between two steps: leave if a save has failed or somebody was asked to stop."""
    training.saver.check()
    try:
        training.stopping.check()
    except Stopped:
        _ask_watch(training, position, position.epoch * training.steps_per_epoch + position.step)
        raise


def _rate(training: TrainContext, position: TrainState, global_step: int) -> float:
    config = training.config
    factor = rate_factor(config.schedule, global_step, training.steps_per_epoch, config.epochs, position.errors)
    return training.full_rate * factor


def _step(training: TrainContext, batches: DevicePrefetcher, global_step: int, rate: float) -> torch.Tensor:
    """One optimiser step: the mean loss over this process's share of the batch, on the device."""
    config, optimizer, scaler = training.config, training.optimizer, training.scaler
    for group in optimizer.param_groups:
        group["lr"] = rate
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    skips = config.on_nonfinite == "skip"
    statistics = [buffer.clone() for buffer in training.model.buffers()] if skips else []
    total = None
    for part in range(config.accumulate):
        ready = next(batches)
        _seed(training, global_step, part)
        last = part == config.accumulate - 1
        with nullcontext() if last else without_averaging(training.network):
            loss = _loss(training, ready, global_step)
            scaler.scale(loss if training.process.world == 1 else monitor.poisoned(loss)).backward()
        total = loss.detach() if total is None else total + loss.detach()
    scaler.unscale_(optimizer)
    if config.clip_norm is not None:
        norm = nn.utils.clip_grad_norm_(parameters, config.clip_norm)
    else:
        norm = monitor.gradient_norm(parameters)
    # With a scaler gradients may overflow; it skips such a step by itself and lowers its factor.
    training.watch.note(global_step, total, None if scaler.is_enabled() else norm)
    skipped = skips and _skip(training, global_step, statistics)
    if not skipped or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if not skipped:
        _after_update(training, global_step)
    return total


def _loss(training: TrainContext, ready: DeviceBatch, global_step: int) -> torch.Tensor:
    """The loss of one accumulated part, by its share of the step."""
    config, classes = training.config, len(training.record["classes"])
    images, target = mix(*ready, classes, config.augment, config.seed, global_step)
    with training.precision.autocast():
        outputs = training.network(images)
    loss = training_loss(outputs, target, config, training.model)
    return loss if config.accumulate == 1 else loss / config.accumulate


def _after_update(training: TrainContext, global_step: int) -> None:
    if training.config.filter_radius is not None:
        renormalise(training.model, training.config.filter_radius)
    if training.averaged is not None:
        training.averaged.update(global_step, training.steps_per_epoch)


def _skip(training: TrainContext, global_step: int, statistics: list[torch.Tensor]) -> bool:
    """Whether the step was not finite and is to have no effect: `statistics` are the network's buffers before it."""
    watch = training.watch
    bad = watch.ask()
    if bad is None:
        watch.skipped = 0
        return False
    for buffer, kept in zip(training.model.buffers(), statistics, strict=True):
        buffer.copy_(kept)
    sentence = _record(training, bad)
    watch.start_again()
    watch.skipped += 1
    if watch.skipped == monitor.IN_A_ROW:
        raise monitor.stop(f"{sentence}; it is the last of {monitor.IN_A_ROW} such steps in a row")
    _warn(training, f"warning: {sentence}; it was skipped")
    return True


def _ask_watch(training: TrainContext, position: TrainState, steps_done: int) -> None:
    """Count the losses so far in `position`; raise UserError if one of their steps was not finite; warn if the network
    does not learn. Before every save."""
    bad = training.watch.ask()
    if bad is not None:
        raise monitor.stop(_record(training, bad))
    losses = training.watch.take()
    for loss in losses:  # one by one, so that the sum does not depend on when it is asked
        position.loss_sum += loss
    position.counted += len(losses)
    if steps_done == monitor.STUCK_AFTER and losses:
        heads = 1.0 + sum(getattr(training.model, "aux_weights", ()))
        _warn(training, monitor.stuck(sum(losses) / len(losses), len(training.record["classes"]), heads))


def _record(training: TrainContext, bad: tuple[int, float, float, float]) -> str:
    config, record = training.config, training.record
    drawn = config.batch, config.seed, config.augment.repeats
    images = monitor.images_of(bad[0], training.steps_per_epoch, record["images"], *drawn)
    return monitor.record(training.folder if training.process.leads else None, bad, images)


def _warn(training: TrainContext, sentence: str | None) -> None:
    if sentence is not None and training.log is not None:
        training.log.say(sentence)


def _average_buffers(training: TrainContext) -> None:
    average_buffers(training.model, training.process)
    if training.averaged is not None:
        average_buffers(training.averaged.module, training.process)


def _evaluate(training: TrainContext, position: TrainState) -> dict[str, float]:
    """Errors on the validation images, also noted in `position`. The raw weights alone decide on best and plateau."""
    begun = time.perf_counter()
    (counts, loss), *others = evaluate(
        [training.model, *([training.averaged.module] if training.averaged is not None else [])],
        training.validation,
        training.normalise,
        training.precision,
        training.process,
        training.stopping.check,
    )
    figures = {"val_loss": loss, "top1_error": counts.top1_error, "top5_error": counts.top5_error, "n": counts.n}
    for averaged, loss in others:
        position.averaged_counts = (averaged.wrong1, averaged.wrong5, averaged.n)
        figures |= {
            "averaged_val_loss": loss,
            "averaged_top1_error": averaged.top1_error,
            "averaged_top5_error": averaged.top5_error,
        }
    seconds = time.perf_counter() - begun
    position.evaluation_seconds += seconds
    position.counts = (counts.wrong1, counts.wrong5, counts.n)
    position.errors.append(counts.top1_error)
    if position.best_top1_error is None or counts.top1_error < position.best_top1_error:
        position.best_top1_error, position.best_epoch = counts.top1_error, position.epoch + 1
    return figures | {"evaluation_seconds": seconds}


def _names(training: TrainContext, position: TrainState) -> tuple[str, ...]:
    """Under which names the checkpoint at the end of an epoch is kept, beside last."""
    every, names = training.config.keep_every, []
    if position.best_epoch == position.epoch:
        names.append(checkpoint.BEST)
    if every is not None and position.epoch % every == 0:
        names.append(checkpoint.of_epoch(position.epoch))
    return tuple(names)


def _save(training: TrainContext, position: TrainState, also: tuple[str, ...] = ()) -> None:
    """Begin to save; called on every process."""
    content = snapshot.content(training, position)
    if content is not None:
        where = position.epoch, position.epoch * training.steps_per_epoch + position.step
        training.saver.save(content, where, also)


def _seed(training: TrainContext, *place: int) -> None:
    """Make dropout a function of (seed, step, part, process) too: no generator has to be saved."""
    numbers = training.config.seed, *place, training.process.rank
    seed = int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "big") >> 1
    # torch.manual_seed asks for every kind of device; for each that was never used it formats a stack trace.
    torch.default_generator.manual_seed(seed)
    if training.normalise.device.type == "cuda":
        torch.cuda.manual_seed(seed)
