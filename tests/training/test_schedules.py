"""Learning rates worked out by hand."""

from __future__ import annotations

import math
import random

import pytest
import torch

from cnnbench.config.schedule import SCHEDULES, ScheduleConfig
from cnnbench.training.schedules import FACTORS, divisions, rate_factor


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
            ScheduleConfig(kind="step", step_epochs=5, warmup="constant", warmup_epochs=2, warmup_start=0.2),
            [0.2, 0.2, *[1] * 3, *[0.1] * 4],
        ),
        (
            ScheduleConfig(kind="cosine"),
            [1, 0.97553, 0.90451, 0.79389, 0.65451, 0.5, 0.34549, 0.20611, 0.09549],
        ),
        (
            ScheduleConfig(kind="exponential", step_epochs=2, gamma=0.25),
            [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256],
        ),
        (
            ScheduleConfig(kind="exponential", step_epochs=2, gamma=0.25, warmup_epochs=2),
            [0, 1 / 2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64],
        ),
        (ScheduleConfig(kind="polynomial", power=2), [1, 0.81, 0.64, 0.49, 0.36, 0.25, 0.16, 0.09, 0.04]),
        (
            ScheduleConfig(kind="polynomial", power=2, final=0.5, warmup_epochs=5, warmup_start=0.5),
            [0.5, 0.6, 0.7, 0.8, 0.9, 1, 0.82, 0.68, 0.58],
        ),
        (
            ScheduleConfig(kind="one_cycle", start=0.2, peak=0.4, final=0.1),
            [0.2, 0.31716, 0.6, 0.88284, 1, 0.93971, 0.775, 0.55, 0.325],
        ),
        (ScheduleConfig(kind="plateau", warmup_epochs=2), [0, 0.5, *[1] * 7]),
    ],
)
def test_factor_at_each_epoch(schedule, expected):
    factors = [rate_factor(schedule, step=7 * epoch, steps_per_epoch=7, epochs=10) for epoch in range(9)]
    assert factors == pytest.approx(expected, abs=1e-5)


def test_factor_changes_at_every_step():
    schedule = ScheduleConfig(kind="linear")
    assert rate_factor(schedule, 1, 4, 2) == pytest.approx(7 / 8)
    assert rate_factor(schedule, 7, 4, 2) == pytest.approx(1 / 8)


@pytest.mark.parametrize("kind", [kind for kind in SCHEDULES if kind != "multi_step"])
def test_borders(kind):
    """First step, end of warm-up, last step: computed here from the definitions."""
    schedule = ScheduleConfig(
        kind=kind, warmup_epochs=1.5, warmup_start=0.2, step_epochs=4, gamma=0.5, start=0.3, final=0.1, power=3
    )
    last = 99 / 10
    share = (last - 1.5) / (10 - 1.5)
    half_cosine = 0.5 * (1 + math.cos(math.pi * share))
    expected = {
        "constant": 1,
        "step": 0.25,
        "exponential": 0.5 ** ((last - 1.5) / 4),
        "linear": 0.1 + 0.9 * (1 - share),
        "polynomial": 0.1 + 0.9 * (1 - share) ** 3,
        "cosine": 0.1 + 0.9 * half_cosine,
        "one_cycle": 0.1 + 0.45 * (1 + math.cos(math.pi * (share - 0.3) / 0.7)),
        "plateau": 1,
    }
    assert rate_factor(schedule, 0, 10, 10) == pytest.approx(0.2)
    assert rate_factor(schedule, 14, 10, 10) == pytest.approx(0.2 + 0.8 * 14 / 15)
    assert rate_factor(schedule, 15, 10, 10) == pytest.approx(0.3 if kind == "one_cycle" else 1)
    assert rate_factor(schedule, 99, 10, 10) == pytest.approx(expected[kind])


def test_the_checks_know_every_kind():
    assert {*FACTORS, "plateau"} == set(SCHEDULES)


def test_inceptions_staircase():
    schedule = ScheduleConfig(kind="step", step_epochs=2, gamma=0.94)
    for epoch in range(100):
        for step in (0, 6):
            assert rate_factor(schedule, 7 * epoch + step, 7, 100) == pytest.approx(0.94 ** (epoch // 2))


@pytest.mark.parametrize(
    ("errors", "expected"),  # patience 2
    [
        ([], 0),
        ([50, 40, 30], 0),
        ([50, 50], 0),
        ([50, 50, 50], 1),
        ([50, 51, 49, 50, 49], 1),  # 49 is better than 50, and 49 is not better than 49
        ([50, 51, 52, 53], 1),
        ([50, 51, 52, 53, 54], 2),
        ([50, 51, 52, 40, 41, 42, 43, 44], 3),
        ([50] * 20, 3),  # at most three
    ],
)
def test_plateau_by_hand(errors, expected):
    assert divisions(errors, patience=2, threshold=0.0, most=3) == expected
    schedule = ScheduleConfig(kind="plateau", gamma=0.5, patience=2, most=3)
    assert rate_factor(schedule, 10 * len(errors), 10, 30, errors) == 0.5**expected


@pytest.mark.parametrize(("patience", "threshold"), [(1, 0.0), (3, 0.0), (2, 0.5)])
def test_plateau_against_torch(patience, threshold):
    draw = random.Random(patience)
    errors = [50 * 0.97**epoch + draw.gauss(0, 1) for epoch in range(80)]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=threshold, threshold_mode="abs", eps=0
    )
    counts = set()
    for i, error in enumerate(errors):
        theirs.step(error)
        count = divisions(errors[: i + 1], patience, threshold, None)
        assert optimizer.param_groups[0]["lr"] == 0.5**count
        counts.add(count)
    assert len(counts) > 5
