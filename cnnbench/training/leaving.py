"""Leaving a run with all saved: whole steps only, and by way of the store once the group has been parted from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from cnnbench.runtime.devices import on_cpu
from cnnbench.runtime.distributed import wait_for_all
from cnnbench.runtime.errors import Lost, Stopped
from cnnbench.runtime.parting import ANSWER, Unanswered, exchange, part, wait_for_leader
from cnnbench.training.context import TrainContext
from cnnbench.training.state import TrainState
from cnnbench.training.status import after_loss
from cnnbench.training.watch import SAVE


@contextmanager
def whole_step(context: TrainContext) -> Iterator[None]:
    """Within this block, a step: what ends the run undoes what has been done of it.

    A step changes nothing before its gradients are complete but the buffers (batch normalisation's statistics), which
    are kept for that where there is something to wait for in its midst.
    """
    several = context.process.world > 1 or context.config.accumulate > 1
    buffers = [*context.model.buffers()] if several else []
    kept = [buffer.clone() for buffer in buffers]
    try:
        with context.preemption.together():
            yield
    except (Stopped, Lost):
        with torch.no_grad():
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
        raise


def leave(context: TrainContext, state: TrainState, why: Stopped | Lost, save: Callable[[], None]) -> Stopped:
    """Call `save`, on every process, and wait until it is on the disk, in the time that the watch gives; what the run
    is to raise then. If the state of all processes cannot be had, the save before stands, and the answer says so."""
    process = context.process
    stop = why if isinstance(why, Stopped) else after_loss(context.folder, why, _steps(context, state))
    if isinstance(why, Lost):
        part(process, stop)
    context.preemption.saves()
    if not process.ties.cut:
        save()
        context.checkpointer.finish()
        wait_for_all(process)  # or launchers end those that still write when the first has left
        return stop
    seconds = SAVE
    try:
        why_all = _reasons(context, state, stop)
        stop = Stopped(max(why_all, key=len), stop.status, stop.lost)  # one knows what the others have waited for
        save()
    except Unanswered as silent:
        stop, seconds = Stopped(f"{stop}; {silent}: the save before stands", stop.status, stop.lost), ANSWER
    context.checkpointer.finish()
    wait_for_leader(process, seconds)
    return stop


def _reasons(context: TrainContext, state: TrainState, stop: Stopped) -> list[str]:
    """Why each process leaves. Raises Unanswered unless all answer and have done the same steps."""
    if context.process.world > 1 and not on_cpu(context.device):
        raise Unanswered("GPUs that were in the midst of a step cannot go back")
    place = [state.epoch, state.step]
    answers = exchange(context.process, "place", json.dumps([place, str(stop)]).encode())
    places, reasons = zip(*map(json.loads, answers), strict=True)
    if any(other != place for other in places):
        raise Unanswered("some processes had done one step more")
    return list(reasons)


def _steps(context: TrainContext, state: TrainState) -> int:
    return state.epoch * context.steps_per_epoch + state.step
