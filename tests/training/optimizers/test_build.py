"""Updates against a trajectory computed by hand, and which parameters decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.training.filter_radius import limit_filters
from cnnbench.training.optimizers.build import build_optimizer, scaled_learning_rate


def test_sgd_with_momentum_and_decay_by_hand():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    config = OptimizerConfig(kind="sgd", lr=0.1, base_batch=64, momentum=0.5, weight_decay=0.1)
    optimizer = build_optimizer(model, config, batch=128)
    weight, velocity = 2.0, 0.0
    for gradient in (1.0, -2.0, 0.5):
        model.weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        velocity = 0.5 * velocity + gradient + 0.1 * weight
        weight -= 0.2 * velocity  # 0.1 x 128 / 64
        assert model.weight.item() == pytest.approx(weight, rel=1e-6)


def test_rate_scales_with_the_batch():
    assert scaled_learning_rate(OptimizerConfig(kind="sgd", lr=0.1, base_batch=256), 1024) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("norms", "biases", "decayed"),
    [
        (True, True, {"conv.weight", "conv.bias", "unbnd.weight", "unbnd.bias", "fc.weight", "fc.bias"}),
        (False, True, {"conv.weight", "conv.bias", "fc.weight", "fc.bias"}),
        (True, False, {"conv.weight", "fc.weight", "unbnd.weight", "unbnd.bias"}),
        (False, False, {"conv.weight", "fc.weight"}),
    ],
)
def test_decay_goes_by_the_type_of_the_module(norms, biases, decayed):
    model = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "unbnd": nn.BatchNorm2d(4), "fc": nn.Linear(4, 2)})
    config = OptimizerConfig(kind="sgd", lr=0.1, weight_decay=0.01, decay_norms=norms, decay_biases=biases)
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = build_optimizer(model, config, 256).param_groups
    found = {names[parameter] for group in groups if group["weight_decay"] == 0.01 for parameter in group["params"]}
    assert found == decayed
    assert sum(len(group["params"]) for group in groups) == len(names)


def test_rate_scales_with_the_root_of_the_batch_or_not_at_all():
    assert scaled_learning_rate(
        OptimizerConfig(kind="adam", lr=0.1, base_batch=256, scaling="sqrt"), 1024
    ) == pytest.approx(0.2)
    assert scaled_learning_rate(OptimizerConfig(kind="adam", lr=0.1, base_batch=256, scaling="none"), 1024) == 0.1


def test_filters_are_renormalised_in_convolutions_only():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(3, 3))
    with torch.no_grad():
        model[0].weight[0] = 0.3
        model[0].weight[1] = -0.05
        model[0].weight[2, 0], model[0].weight[2, 1] = 0.4, 0.0  # RMS 0.4 / sqrt(2)
        model[1].weight.fill_(5.0)
    limit_filters(model, 0.1)
    filters = model[0].weight.detach()
    torch.testing.assert_close(filters[0], torch.full((2, 3, 3), 0.1))
    torch.testing.assert_close(filters[1], torch.full((2, 3, 3), -0.05))
    torch.testing.assert_close(filters[2, 0], torch.full((3, 3), 0.1 * 2**0.5))
    assert (model[1].weight == 5).all()
