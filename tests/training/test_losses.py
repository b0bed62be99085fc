"""Losses worked out by hand, and validation without smoothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cnnbench.config.arch import ArchConfig
from cnnbench.config.train import TrainConfig
from cnnbench.training.losses import training_loss, wrong_answers

LOGITS = torch.tensor([[2.0, 0.4, -0.3, -1.0], [0.5, 1.0, -0.7, 3.0]])  # no 0, at which every target costs the same
CLASSES = torch.tensor([0, 2])
SHARES = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
MIXED = torch.tensor([[0.7, 0.3, 0, 0], [0.1, 0, 0, 0.9]])


def config(**keys) -> TrainConfig:
    return TrainConfig(recipe="x", epochs=1, batch=1, arch=ArchConfig(name="lenet"), **keys)


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> float:
    rows = [
        sum(-t * (x - math.log(sum(math.exp(y) for y in row))) for x, t in zip(row, shares, strict=True))
        for row, shares in zip(logits.tolist(), target.tolist(), strict=True)
    ]
    return sum(rows) / len(rows)


def binary(logits: torch.Tensor, target: torch.Tensor) -> float:
    terms = []
    for x, t in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-x))
        terms.append(-t * math.log(p) - (1 - t) * math.log(1 - p))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("loss", "by_hand"), [("cross_entropy", cross_entropy), ("bce", binary)])
def test_loss_by_hand(loss, by_hand, smoothing):
    keys, model = config(loss=loss, label_smoothing=smoothing), nn.Identity()
    for target, shares in ((CLASSES, SHARES), (SHARES, SHARES), (MIXED, MIXED)):
        expected = by_hand(LOGITS, (1 - smoothing) * shares + smoothing / 4)
        assert training_loss(LOGITS, target, keys, model).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_auxiliary_heads_have_the_same_loss_with_the_networks_weights(loss):
    model, keys = nn.Identity(), config(loss=loss, label_smoothing=0.1)
    model.aux_weights = (0.3, 0.5)
    heads = (LOGITS, LOGITS.flip(0), -LOGITS)
    alone = [training_loss(head, CLASSES, keys, nn.Identity()).item() for head in heads]
    assert len({round(value, 4) for value in alone}) == 3
    expected = alone[0] + 0.3 * alone[1] + 0.5 * alone[2]
    assert training_loss(heads, CLASSES, keys, model).item() == pytest.approx(expected)


def test_bce_threshold_counts_mixed_classes_in_full():
    keys = config(loss="bce", bce_threshold=0.2)
    full = torch.tensor([[1.0, 1.0, 0, 0], [0, 0, 0, 1.0]])
    assert training_loss(LOGITS, MIXED, keys, nn.Identity()).item() == pytest.approx(binary(LOGITS, full))
    hard = training_loss(LOGITS, CLASSES, keys, nn.Identity()).item()
    assert hard == pytest.approx(binary(LOGITS, SHARES))


def test_a_share_of_exactly_the_threshold_does_not_count():
    """Wightman et al. 2021's code, timm's BinaryCrossEntropy: `target.gt(target_threshold)`."""
    keys = config(loss="bce", bce_threshold=0.25)
    mixed = torch.tensor([[0.75, 0.25, 0, 0], [0, 0, 0.25, 0.75]])  # exact in binary
    full = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    assert training_loss(LOGITS, mixed, keys, nn.Identity()).item() == pytest.approx(binary(LOGITS, full))


def test_bce_threshold_comes_after_the_smoothing():
    """As in the released code: a share of 0.3 becomes 0.7 x 0.3 + 0.3 / 4 = 0.285, one of 0.25 stays 0.25."""
    keys = config(loss="bce", bce_threshold=0.29, label_smoothing=0.3)
    mixed = torch.tensor([[0.7, 0.3, 0, 0], [0, 0, 0.25, 0.75]])
    full = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    assert training_loss(LOGITS, mixed, keys, nn.Identity()).item() == pytest.approx(binary(LOGITS, full))


def test_loss_is_float32_whatever_the_logits_are():
    assert training_loss(LOGITS.bfloat16(), CLASSES, config(loss="bce"), nn.Identity()).dtype == torch.float32


def test_wrong_answers_are_of_the_main_head_by_the_larger_share_with_the_ties_of_evaluation():
    assert wrong_answers(LOGITS, CLASSES).item() == 1
    assert wrong_answers((LOGITS, LOGITS.flip(0)), CLASSES).item() == 1
    assert wrong_answers(LOGITS, MIXED).item() == 0
    assert wrong_answers(LOGITS, MIXED.flip(0)).item() == 2
    equal = torch.tensor([[1.0, 1.0], [1.0, 1.0]], dtype=torch.bfloat16)
    assert wrong_answers(equal, torch.tensor([0, 1])).item() == 1, "the lower class number stands first"
