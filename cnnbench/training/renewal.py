"""When a run computes the statistics of batch normalisation anew, and over which of its images."""

from __future__ import annotations

from torch import nn

from cnnbench.archs.norms import batch_norms
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.training.context import TrainContext
from cnnbench.training.data import statistics_order
from cnnbench.training.precise_norms import Statistics, precise_statistics, put
from cnnbench.training.state import TrainState


def renew_statistics(context: TrainContext, state: TrainState) -> None:
    """Before an evaluation: batch normalisation's statistics of the averaged weights, and at the end of the run of the
    weights, where they are to be computed anew. They follow from weights, seed and epoch, so that an evaluation that
    was stopped can begin again."""
    config, asked = context.config, []
    if context.averaged is not None:
        asked.append((context.averaged.module, config.average.precise_bn))
    if state.epoch + 1 == context.epochs:
        asked.append((context.model, config.precise_bn))
    for model, count in asked:
        if count is not None and batch_norms(model):
            with context.preemption.waiting(), context.preemption.together():
                found = _statistics(context, model, state.epoch, count)
            put(found)


def _statistics(context: TrainContext, model: nn.Module, epoch: int, count: int) -> Statistics:
    process, make = context.process, context.data.statistics
    assert make is not None  # data.py opens a loader for every run that asks
    groups = statistics_order(context.config, context.data.images, count, epoch)
    batches = DevicePrefetcher(make(groups[process.rank :: process.world]), context.normalise)
    calls = -(-len(groups) // process.world)
    return precise_statistics(
        model, batches, context.precision, process, context.preemption.check, calls, context.frozen.paths
    )
