"""Ranks, confusion and mistakes against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import torch

from cnnbench.evaluation.counts import Counts
from cnnbench.evaluation.predictions import confusion, gather, make_predictions, most_confident_mistakes
from cnnbench.evaluation.probabilities import log_mean_probability
from cnnbench.runtime.distributed import Process

LOGITS = torch.tensor(
    [
        [5.0, 4, 3, 2, 1, 0, -1],  # of class 0: right
        [5.0, 4, 3, 2, 1, 0, -1],  # of class 6, and 1 is right too: second
        [1.0, 9, 0, 0, 0, 0, 0],  # of class 0, said to be 1 with confidence
        [0.0, 0, 0, 0, 0, 0, 0],  # of class 5: all alike, so sixth
        [9.0, 0, 0, 0, 0, 0, 0],  # of class 0, but broken
    ]
)
TARGETS = np.array([[0, 0], [6, 1], [0, 0], [5, 5], [0, 0]])


def found():
    return make_predictions(LOGITS, torch.arange(5) == 4, [0, 1, 2, 3, 4], TARGETS)


def test_ranks_with_several_right_answers():
    assert found().rank.tolist() == [0, 1, 1, 5, 7]
    assert found().counts() == Counts(4, 2, 5)
    assert found().first[1].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found().probability[3], [1 / 7] * 5, rtol=1e-6)
    np.testing.assert_allclose(found().loss[3], np.log(7), rtol=1e-6)


def test_confusion_and_mistakes():
    matrix = confusion(found(), TARGETS[:, 0], 7)
    assert matrix.sum() == 4
    assert {(row, column): matrix[row, column] for row, column in zip(*matrix.nonzero(), strict=True)} == {
        (0, 0): 1,
        (6, 0): 1,
        (0, 1): 1,
        (5, 0): 1,
    }
    assert most_confident_mistakes(found(), 2).tolist() == [2, 1]  # image 4 is broken: it has no prediction


def test_images_come_back_in_the_order_of_the_split():
    some = make_predictions(LOGITS[[3, 0]], torch.tensor([False, False]), [3, 0], TARGETS[[3, 0]])
    assert gather(some, Process()).index.tolist() == [0, 3]
    assert gather(some, Process()).rank.tolist() == [0, 5]


def test_the_mean_of_probabilities_keeps_the_order_of_the_improbable():
    logits = torch.tensor([[[0.0, -500, -600], [0.0, -700, -600]]])
    mean = log_mean_probability(logits)
    assert mean.argsort(descending=True).tolist() == [[0, 1, 2]]
    ordinary = torch.randn(4, 3, 5)
    torch.testing.assert_close(log_mean_probability(ordinary).exp(), ordinary.double().softmax(2).mean(1))
