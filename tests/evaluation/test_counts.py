"""Counts against cases worked out by hand."""

from __future__ import annotations

import pytest
import torch

from cnnbench.evaluation.counts import Counts, count_wrong, rank_of_target
from cnnbench.evaluation.statistics import wilson_interval


def test_ranks_by_hand():
    logits = torch.tensor(
        [
            [9.0, 1, 2, 3, 4, 5, 6],  # class 0 first
            [9.0, 1, 2, 3, 4, 5, 6],  # class 1 last
            [9.0, 1, 2, 3, 4, 5, 6],  # class 6 second
            [9.0, 1, 2, 3, 4, 5, 6],  # class 2 sixth
            [1.0, 1, 1, 1, 1, 1, 1],  # equal: class 3 has three before it
            [float("nan"), 1, 2, 3, 4, 5, 6],  # not a number: wrong at every k
            [float("-inf"), 1, 2, 3, 4, 5, float("inf")],
        ]
    )
    target = torch.tensor([0, 1, 6, 2, 3, 6, 6])
    assert rank_of_target(logits, target).tolist() == [0, 6, 1, 5, 3, 7, 0]
    assert count_wrong(logits, target).tolist() == [5, 3, 7]


def test_counts_do_not_depend_on_how_images_are_grouped():
    torch.manual_seed(0)
    logits, target = torch.randn(101, 12), torch.randint(0, 12, (101,))
    whole = count_wrong(logits, target)
    order = logits.argsort(1, descending=True)
    assert whole[0] == (order[:, 0] != target).sum()
    assert whole[1] == 101 - (order[:, :5] == target[:, None]).any(1).sum()
    for size in (1, 7, 50):
        parts = [count_wrong(a, b) for a, b in zip(logits.split(size), target.split(size), strict=True)]
        assert torch.equal(torch.stack(parts).sum(0), whole)


def test_fewer_than_six_classes():
    assert count_wrong(torch.eye(3), torch.tensor([0, 1, 1])).tolist() == [1, 0, 3]


def test_a_broken_image_and_one_without_numbers_are_wrong_at_top_5_of_three_classes_too():
    logits = torch.eye(3)
    logits[2] = float("nan")
    assert count_wrong(logits, torch.tensor([0, -1, 1])).tolist() == [2, 2, 3]


def test_errors_in_percent():
    counts = Counts(3, 1, 8)
    assert (counts.top1_error, counts.top5_error) == (37.5, 12.5)


@pytest.mark.parametrize(
    ("wrong", "n", "low", "high"),  # the first two: Newcombe 1998, Table I, method 3
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (20, 20, 83.89, 100.0)],
)
def test_wilson_interval(wrong, n, low, high):
    assert wilson_interval(wrong, n) == pytest.approx((low, high), abs=0.005)
