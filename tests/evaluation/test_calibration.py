"""Calibration against figures by hand and a slow search."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnnbench.evaluation.calibration import (
    Bin,
    at_temperature,
    best_temperature,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)


def test_bins_and_their_error_by_hand():
    """Four images in [0, 0.5], 0.5 itself among them, and one above: |0.35 - 0.5| * 4/5 + |0.9 - 1| * 1/5."""
    bins = reliability(np.array([0.2, 0.3, 0.4, 0.5, 0.9]), np.array([1, 0, 1, 0, 1], bool), 2)
    assert bins == [
        Bin(0.0, 0.5, 4, pytest.approx(0.35), pytest.approx(0.5)),
        Bin(0.5, 1.0, 1, pytest.approx(0.9), pytest.approx(1.0)),
    ]
    assert expected_calibration_error(bins) == pytest.approx(100 * (0.15 * 4 / 5 + 0.1 / 5))
    assert reliability(np.array([0.0, 1.0]), np.array([False, True]), 3)[0].n == 1, "0 and 1 are in the outer bins"


def test_the_temperature_is_the_one_that_the_answers_were_drawn_at():
    """Labels drawn by the probabilities of logits; the logits three times as large are too sure by just that."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(10_000, 10, generator=random, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]
    found = best_temperature((3 * logits).log_softmax(1), labels)
    assert found == pytest.approx(3, rel=0.05)
    losses = {t: float(F.cross_entropy(3 * logits / t, labels)) for t in np.linspace(2.5, 3.5, 51)}
    assert found == pytest.approx(min(losses, key=losses.get), abs=0.011)
    scaled = at_temperature((3 * logits).log_softmax(1), found)
    assert negative_log_likelihood(scaled, labels) == pytest.approx(min(losses.values()), abs=1e-5)


def test_classes_that_do_not_compete_take_no_part():
    logits = torch.tensor([[2.0, 1.0, -math.inf], [0.0, 1.0, -math.inf], [3.0, 1.0, -math.inf]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 1])
    found = best_temperature(logits.log_softmax(1), labels)
    assert found == pytest.approx(best_temperature(logits[:, :2].log_softmax(1), labels))
    assert math.isfinite(negative_log_likelihood(at_temperature(logits.log_softmax(1), found), labels))
