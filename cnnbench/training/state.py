"""The progress of a run, which a checkpoint keeps: epochs and steps done, times, errors so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnbench.evaluation.counts import Counts
from cnnbench.runs.results import EpochMetrics


@dataclass
class TrainState:
    """What a checkpoint holds of a run beside tensors."""

    epoch: int = 0  # epochs done, evaluation included
    step: int = 0  # optimiser steps done in the epoch under way; all of them while it is evaluated
    loss_sum: float = 0.0  # over those steps, of this process
    counted: float = 0  # steps that loss_sum covers: all but those skipped
    wrong: int = 0  # training images wrong at top 1, as augmented, over those steps, of this process
    seconds: float = 0.0  # spent in training steps, over the whole run
    steps_timed: int = 0  # steps that `seconds` covers
    waiting_seconds: float = 0.0  # of `seconds`, those spent waiting for data
    evaluation_seconds: float = 0.0  # spent in evaluation, over the whole run
    saving_seconds: float = 0.0  # in which saves at the ends of epochs kept the loop, over the whole run
    counts: tuple[int, int, int] | None = None  # of the last evaluation: wrong at top 1, wrong at top 5, images
    best_top1_error: float | None = None
    best_epoch: int | None = None
    errors: list[float] = field(default_factory=list)  # top-1, percent, of all evaluations: what best and plateau go by
    averaged_counts: tuple[int, int, int] | None = None  # as `counts`, with the averaged weights
    holdout_counts: tuple[int, int, int] | None = None  # as `counts`, of the images held out, by which the run chooses
    lowest_loss: float | None = None  # training loss, mean of an epoch
    metrics: list[EpochMetrics] = field(default_factory=list)  # metrics.jsonl, which is made from here at every start

    def last_counts(self) -> Counts:
        """Of the last evaluation; every run that has reached its last epoch has one."""
        if self.counts is None:
            raise ValueError("the run has not been evaluated yet")
        return Counts(*self.counts)
