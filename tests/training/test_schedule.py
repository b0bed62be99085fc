"""Learning rates worked out by hand."""

from __future__ import annotations

import pytest

from cnnbench.config import ScheduleConfig
from cnnbench.training.schedule import rate_factor


@pytest.mark.parametrize(
    ("schedule", "expected"),  # factor at the start of epochs 0 to 8, ten epochs in all
    [
        (ScheduleConfig(kind="constant"), [1] * 9),
        (ScheduleConfig(kind="step", step_epochs=3, gamma=0.1), [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]),
        (ScheduleConfig(kind="multi_step", milestones=[2, 7], gamma=0.5), [1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (ScheduleConfig(kind="linear"), [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]),
        (ScheduleConfig(kind="linear", final=0.5), [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6]),
        (ScheduleConfig(kind="linear", warmup_epochs=2), [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8]),
        (ScheduleConfig(kind="constant", warmup_epochs=4, warmup_start=0.2), [0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1]),
        (
            ScheduleConfig(kind="cosine"),
            [1, 0.97553, 0.90451, 0.79389, 0.65451, 0.5, 0.34549, 0.20611, 0.09549],
        ),
    ],
)
def test_factor_at_each_epoch(schedule, expected):
    factors = [rate_factor(schedule, step=7 * epoch, steps_per_epoch=7, epochs=10) for epoch in range(9)]
    assert factors == pytest.approx(expected, abs=1e-5)


def test_factor_changes_at_every_step():
    schedule = ScheduleConfig(kind="linear")
    assert rate_factor(schedule, 1, 4, 2) == pytest.approx(7 / 8)
    assert rate_factor(schedule, 7, 4, 2) == pytest.approx(1 / 8)
