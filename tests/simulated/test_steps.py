"""Steps of the loop on the simulated device: none that is not finite has an effect, and none waits for the device."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn

from cnnbench.analysis.bench.network import BenchNetwork
from cnnbench.analysis.bench.training import bare_loop
from cnnbench.config.arch import ArchConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runtime.backends import BACKENDS
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.precision import choose_precision
from cnnbench.training import loop, monitor, train_step
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData
from cnnbench.training.state import TrainState
from tests.simulated.device import SimulatedDevice

ARCH = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.25] * 3)
KINDS = ("sgd", "adamw", "caffe_sgd", "lars", "lamb", "rmsprop", "tensorflow_rmsprop")


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def _context(kind: str = "sgd", **keys: Any) -> TrainContext:
    optimizer = OptimizerConfig(kind=kind, lr=0.1, momentum=0.9)
    average = AverageConfig("ema", decay=0.5)
    config = TrainConfig(
        **{"recipe": "x", "epochs": 1, "batch": 4, "arch": ARCH, "average": average, "precision": "float32"} | keys,
        optimizer=optimizer,
        schedule=ScheduleConfig(kind="constant"),
    )
    data = TrainData(["a", "b", "c"], 4 * 60, mock.Mock(supplied=lambda: 1.0), None, {})
    context = build_context(config, _network().to("sim"), data, Path("nowhere"))
    context.folder = None
    return context


def _batch(step: int = 0) -> Batch:
    images = torch.randint(0, 256, (4, 6, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(step))
    return Batch(images, torch.tensor([0, 1, 2, 0]), torch.zeros(4, 0))


def _batches() -> Iterator[Batch]:
    return map(_batch, itertools.count())


def _kept(context: TrainContext) -> list[torch.Tensor]:
    """Weights, statistics, their averages, and what the optimiser keeps on the device, on the CPU."""
    state = [value for entry in context.optimizer.state.values() for value in entry.values()]
    there = [value for value in state if isinstance(value, torch.Tensor) and value.device.type == "sim"]
    networks = (*context.model.state_dict().values(), *context.averaged.module.state_dict().values())
    return [tensor.cpu().clone() for tensor in (*networks, *there)]


def _same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def _bad_loss(at: int, bad: float) -> Any:
    """The loop's loss, of which step `at` is `bad`."""
    real = train_step._loss

    def loss(context: TrainContext, ready: Any, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        value, wrong = real(context, ready, step)
        return (value * bad if step == at else value), wrong

    return mock.patch.object(train_step, "_loss", loss)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fused", [True, False])
def test_a_step_that_is_not_finite_and_those_after_it_have_no_effect(
    kind: str, fused: bool, accelerator: SimulatedDevice
) -> None:
    """To the last bit, and without a wait of the host, which learns of it later."""
    with mock.patch.dict(BACKENDS, sim=dataclasses.replace(BACKENDS["sim"], fused=fused)):
        one = _context(kind)
    ready = DevicePrefetcher(_batches(), one.normalise)
    for step in range(3):
        before = _kept(one)
        train_step.train_step(one, ready, step, 0.1)
        assert not _same(before, _kept(one))
    before, waited = _kept(one), accelerator.waits["value"]
    with _bad_loss(3, math.nan):
        for step in range(3, 6):
            train_step.train_step(one, ready, step, 0.1)
    assert accelerator.waits["value"] == waited
    assert _same(before, _kept(one))
    with pytest.raises(UserError, match="step 3 was not finite: loss nan"):
        train_step.stop_if_bad(one)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_guard_the_weights_would_be_lost(kind: str, accelerator: SimulatedDevice) -> None:
    one = _context(kind)
    one.guard = None
    ready = DevicePrefetcher(_batches(), one.normalise)
    with _bad_loss(0, math.inf):
        train_step.train_step(one, ready, 0, 0.1)
    assert not all(torch.isfinite(weight).all() for weight in one.model.parameters())


@pytest.mark.parametrize("kind", ["sgd", "adamw", "lamb"])
def test_the_first_step_of_all_can_be_held_back(kind: str, accelerator: SimulatedDevice) -> None:
    one = _context(kind)
    before = [tensor.cpu() for tensor in one.model.state_dict().values()]
    with _bad_loss(0, math.inf):
        train_step.train_step(one, DevicePrefetcher(_batches(), one.normalise), 0, 0.1)
    assert _same(before, [tensor.cpu() for tensor in one.model.state_dict().values()])
    assert all(torch.isfinite(tensor).all() for tensor in _kept(one))


def test_images_that_are_not_finite_leave_the_statistics_as_they_were(accelerator: SimulatedDevice) -> None:
    """The forward pass has changed them before anything is known."""
    one = _context()
    ready = DevicePrefetcher(_batches(), one.normalise)
    train_step.train_step(one, ready, 0, 0.1)
    before = _kept(one)
    images, labels = next(ready)
    train_step.train_step(one, iter([(images * math.nan, labels)]), 1, 0.1)
    assert _same(before, _kept(one))


def test_with_a_scaler_a_loss_that_is_not_finite_holds_back_all_later_steps(accelerator: SimulatedDevice) -> None:
    one = _context(precision="fp16")
    ready = DevicePrefetcher(_batches(), one.normalise)
    for step in range(30):  # until the scale fits
        train_step.train_step(one, ready, step, 0.1)
    before = _kept(one)
    with _bad_loss(30, math.nan):
        train_step.train_step(one, ready, 30, 0.1)
        train_step.train_step(one, ready, 31, 0.1)
    assert _same(before, _kept(one))


def test_no_step_of_the_loop_waits_for_a_value(accelerator: SimulatedDevice) -> None:
    """Between two questions of the monitor the loop reads nothing from the device, as little as a bare loop does. It
    waits for two events in a step: the copy of the slot that the loader fills next, and the step before the last."""
    one = _context()
    one.data.training.supplied = lambda: 1.0
    ready = DevicePrefetcher(_batches(), one.normalise)
    train_step.train_step(one, ready, 0, 0.1)
    accelerator.waits.clear()
    accelerator.where.clear()
    for step in range(1, 41):
        train_step.train_step(one, ready, step, 0.1)
    assert not accelerator.where
    assert accelerator.waits == {"event": 2 * 40 - 1}, "in the first of them nothing was launched before"


def test_an_epoch_asks_the_device_once_in_fifty_steps(accelerator: SimulatedDevice) -> None:
    one = _context()
    ready = DevicePrefetcher(_batches(), one.normalise)
    accelerator.where.clear()
    loop.train_epoch(one, TrainState(), ready)
    asked = {place: times for place, times in accelerator.where.items() if "ask" in place}
    assert sum(asked.values()) == 2, "after step 50 and after the last, 60"
    assert sum(accelerator.where.values()) == 2 + 2, "and the epoch's figures, there and back"
    assert monitor.EVERY == 50


def test_a_bare_loop_waits_for_nothing(accelerator: SimulatedDevice) -> None:
    model = _network().to("sim")
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    precision = choose_precision("float32", "sim")
    scaler, device = precision.scaler(), accelerator.torch_device
    network = BenchNetwork(model, model, optimizer, scaler, precision, device, torch.channels_last)
    given = _batch()
    batch = Batch(given.images.to("sim"), given.labels.to("sim"), given.parameters)
    normalise = Normalise(ARCH, device, True)
    accelerator.waits.clear()
    bare_loop(network, normalise, batch, 40)
    assert not accelerator.waits
