"""The learning rate as a pure function of the step: nothing to restore when a run continues."""

from __future__ import annotations

import math
from collections.abc import Callable

from cnnbench.config import ScheduleConfig


def rate_factor(schedule: ScheduleConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Factor on the full learning rate at optimiser step `step`, counted from 0 over the whole run.

    During warm-up the factor rises linearly from `warmup_start`; the schedule itself runs over all epochs for the
    step-wise kinds, and over those after the warm-up for linear and cosine.
    """
    epoch = step / steps_per_epoch
    if epoch < schedule.warmup_epochs:
        return schedule.warmup_start + (1 - schedule.warmup_start) * epoch / schedule.warmup_epochs
    return KINDS[schedule.kind](schedule, epoch, (epoch - schedule.warmup_epochs) / (epochs - schedule.warmup_epochs))


# Each kind takes the schedule, the epochs done (a fraction between epochs), and the share of the time after warm-up.
KINDS: dict[str, Callable[[ScheduleConfig, float, float], float]] = {
    "constant": lambda schedule, epoch, share: 1.0,
    "step": lambda schedule, epoch, share: schedule.gamma ** math.floor(epoch / schedule.step_epochs),
    "multi_step": lambda schedule, epoch, share: schedule.gamma ** sum(epoch >= m for m in schedule.milestones),
    "linear": lambda schedule, epoch, share: schedule.final + (1 - schedule.final) * (1 - share),
    "cosine": lambda schedule, epoch, share: (
        schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * share)) / 2
    ),
}
