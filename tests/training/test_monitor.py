"""A step that is not finite is found without asking the device at every step, and named with its images."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from cnnbench.data.loading.sampler import SampleOrder, training_batches
from cnnbench.training import monitor
from cnnbench.training.monitor import NonFiniteMonitor


def test_the_first_bad_step_is_kept():
    watch = NonFiniteMonitor(torch.device("cpu"))
    for step, (loss, norm) in enumerate([(2.0, 1.0), (2.0, 3.0), (math.nan, math.nan), (1.0, math.inf), (1.0, 1.0)]):
        assert watch.ask() is None or step > 2
        watch.note(step, torch.tensor(loss), torch.tensor(norm), torch.tensor(float(step)))
    step, loss, norm, before = watch.ask()
    assert (step, before) == (2, 3.0)
    assert math.isnan(loss)
    assert math.isnan(norm)
    watch = NonFiniteMonitor(torch.device("cpu"))
    watch.note(0, torch.tensor(1.0), torch.tensor(math.inf), torch.tensor(5.0))
    assert watch.ask()[:3] == (0, 1.0, math.inf)
    watch.start_again()
    watch.note(1, torch.tensor(3.0), torch.tensor(1.0), torch.tensor(2.0))
    assert watch.ask() is None
    assert watch.take() == [(3.0, 2)]


def test_a_bad_loss_makes_every_gradient_nan_and_a_good_one_the_same_bits():
    for value, finite in ((1.5, True), (math.inf, False), (math.nan, False)):
        weight = torch.full((3,), 0.3, requires_grad=True)
        monitor.poisoned((weight * torch.tensor([1.0, 2.0, 3.0])).sum() + value).backward()
        assert torch.equal(weight.grad, torch.tensor([1.0, 2.0, 3.0])) if finite else weight.grad.isnan().all()


def test_the_gradient_norm_is_that_of_all_parameters():
    model = nn.Linear(2, 1)
    model(torch.tensor([[3.0, 4.0]])).sum().backward()
    assert monitor.gradient_norm(list(model.parameters())).item() == pytest.approx(math.sqrt(9 + 16 + 1))


def test_the_images_of_a_step_are_those_that_were_trained(tmp_path):
    parts = training_batches(SampleOrder(61, 12, 5), 3)
    trained = [[index for _, index in part] for part in parts]
    for step in (0, 4, 5, 14):
        assert monitor.images_of(step, SampleOrder(61, 12, 5)) == trained[step]
    again = list(training_batches(SampleOrder(61, 12, 5, repeats=3), 3))
    assert monitor.images_of(7, SampleOrder(61, 12, 5, repeats=3)) == [index for _, index in again[7]]
    sentence = monitor.record_nonfinite(tmp_path, monitor.BadStep(14, math.nan, math.inf, 2.5), trained[14])
    assert "step 14 was not finite: loss nan, gradient norm inf (the step before 2.5)" in sentence
    assert "and 4 more" in sentence
    assert json.loads((tmp_path / "nonfinite.jsonl").read_text())["images"] == trained[14]


def test_warnings():
    assert "does not learn" in monitor.stuck(math.log(1000), 1000, 1.0)
    assert monitor.stuck(6.5, 1000, 1.0) is None
    assert "does not learn" in monitor.stuck(1.6 * math.log(10), 10, 1.6)
    assert "getting worse" in monitor.diverging(3.001, 2.0)
    assert monitor.diverging(3.0, 2.0) is None, "half as much again is what noise may do"
    assert monitor.diverging(9.0, None) is None
