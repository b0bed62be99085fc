"""The learning rate as a pure function of the step and, for plateau, of the errors so far, which a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cnnbench.config.schedule import ScheduleConfig
from cnnbench.runtime.implementations import Implementations


def rate_factor(
    schedule: ScheduleConfig, step: int, steps_per_epoch: int, epochs: int, errors: Sequence[float] = ()
) -> float:
    """Factor on the full learning rate at optimiser step `step`, counted from 0 over the whole run.

    During warm-up the factor is `warmup_start`, or rises linearly from it. The schedule itself runs over all epochs
    for the step-wise kinds, and over those after the warm-up for the others; at the last step it is one step short of
    `final`.
    `errors`: top-1 errors in percent of all evaluations before this step, in their order; only plateau looks at them.
    """
    epoch = step / steps_per_epoch
    if epoch < schedule.warmup_epochs:
        done = epoch / schedule.warmup_epochs if schedule.warmup == "linear" else 0.0
        return schedule.warmup_start + (1 - schedule.warmup_start) * done
    if schedule.kind == "plateau":
        return schedule.gamma ** divisions(errors, schedule.patience, schedule.threshold, schedule.most)
    return FACTORS[schedule.kind](schedule, epoch, (epoch - schedule.warmup_epochs) / (epochs - schedule.warmup_epochs))


def divisions(errors: Sequence[float], patience: int, threshold: float, most: int | None) -> int:
    """How often the rate has been divided after evaluations with these errors: each time that `patience` of them in a
    row were not better than the best before them by more than `threshold`, and `most` times in all (None: no limit)."""
    best, waited, count = math.inf, 0, 0
    for error in errors:
        if error < best - threshold:
            best, waited = error, 0
        else:
            waited += 1
        if waited == patience:
            count, waited = count + 1, 0
    return count if most is None else min(count, most)


def _between(high: float, low: float, share: float) -> float:
    """Half a cosine from `high` at share 0 to `low` at share 1."""
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2


def _exponential(schedule: ScheduleConfig, epoch: float, share: float) -> float:
    return schedule.gamma ** ((epoch - schedule.warmup_epochs) / schedule.step_epochs)


def _polynomial(schedule: ScheduleConfig, epoch: float, share: float) -> float:
    return schedule.final + (1 - schedule.final) * (1 - share) ** schedule.power


def _one_cycle(schedule: ScheduleConfig, epoch: float, share: float) -> float:
    """Smith, Topin 2018, with torch's half cosines; momentum stays as it is, where the paper lowers and raises it."""
    if share < schedule.peak:
        return _between(schedule.start, 1.0, share / schedule.peak)
    return _between(1.0, schedule.final, (share - schedule.peak) / (1 - schedule.peak))


# Each kind takes the schedule, the epochs done (a fraction between epochs), and the share of the time after warm-up.
FACTORS: Implementations[Callable[[ScheduleConfig, float, float], float]] = Implementations(
    "FACTORS in cnnbench/training/schedules.py",
    {
        "constant": lambda schedule, epoch, share: 1.0,
        "step": lambda schedule, epoch, share: schedule.gamma ** math.floor(epoch / schedule.step_epochs),
        "multi_step": lambda schedule, epoch, share: schedule.gamma ** sum(epoch >= m for m in schedule.milestones),
        "exponential": _exponential,
        "linear": lambda schedule, epoch, share: schedule.final + (1 - schedule.final) * (1 - share),
        "polynomial": _polynomial,
        "cosine": lambda schedule, epoch, share: _between(1.0, schedule.final, share),
        "one_cycle": _one_cycle,
    },
)
