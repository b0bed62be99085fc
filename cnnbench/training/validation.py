"""Evaluation after an epoch of training: the weights, their average, and the images that were held out."""

from __future__ import annotations

import math
import time

from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.training import monitor
from cnnbench.training.context import TrainContext
from cnnbench.training.renewal import renew_statistics
from cnnbench.training.state import TrainState


def evaluate_epoch(context: TrainContext, state: TrainState) -> dict[str, float]:
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
