"""A run that dies and continues from its last checkpoint is the run that did not: with averages and a plateau, in one
process and with the loop itself, on a network of a few weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from cnnbench.config.arch import ArchConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.runs import checkpoint
from cnnbench.runs.results import CLOCK
from cnnbench.runtime.errors import Stopped
from cnnbench.training import loop, validation
from cnnbench.training.context import build_context
from cnnbench.training.data import TrainData
from cnnbench.training.loop import train_epochs
from cnnbench.training.snapshot import restore
from cnnbench.training.state import TrainState

STEPS = 7
ARCH = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.25] * 3)


class Killed(Exception):
    pass


def batch(seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (8, 6, 6, 3), dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, 3, (8,), generator=draw)  # nothing to learn: the error stalls
    return Batch(images, labels, torch.zeros(8, 0))


class Told:
    """A log that keeps what an epoch ends with."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def scalars(self, scope: str, step: int, values: dict[str, float]) -> None:
        if scope == "epoch":
            self.epochs.append(values)

    def say(self, sentence: str) -> None: ...


class Validation:
    order = range(3)

    def supplied(self) -> float:
        return 1.0

    broken: ClassVar[dict[int, str]] = {}

    def __iter__(self) -> Iterator[Batch]:
        return (batch(10_000 + i) for i in self.order)


def of_groups(groups: list[list[SampleKey]]) -> Iterator[Batch]:
    """A batch for each group, by its first image and draw."""
    return (batch(20_000 + 100 * group[0].draw + group[0].image) for group in groups)


def batches(state: TrainState, until: int) -> Iterator[Batch]:
    for step in range(state.epoch * STEPS + state.step, 10_000):
        if step == until:
            raise Killed
        yield batch(step)


def train(
    config: TrainConfig,
    folder: Path,
    until: int = 10_000,
    log: Told | None = None,
    statistics: Callable[[list[list[SampleKey]]], Iterator[Batch]] = of_groups,
) -> dict[str, Any]:
    """Train from the last checkpoint in `folder`, up to a step at which all is lost; the checkpoint then."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 3)
    )
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    data = TrainData(["a", "b", "c"], 8 * STEPS, Validation(), Validation(), {}, statistics=statistics)
    context = build_context(config, model, data, folder)
    context.log = log
    path = checkpoint.find_last(folder / "checkpoints")
    state = restore(context, checkpoint.load(path)) if path is not None else TrainState()
    try:
        train_epochs(context, state, DevicePrefetcher(batches(state, until), context.normalise))
    except Killed:
        assert until < 10_000
        context.checkpointer.finish()
    return checkpoint.load(checkpoint.find_last(folder / "checkpoints"))


@pytest.mark.parametrize(
    ("kind", "average"),
    [
        ("sgd", AverageConfig("ema", decay=0.95, precise_bn=20)),
        ("caffe_sgd", AverageConfig("polyak", start_epoch=2, every=3)),
        ("tensorflow_rmsprop", AverageConfig("ema", decay=0.9, warmup=False, every=2)),
        ("lamb", AverageConfig("none")),
    ],
)
def test_a_run_that_died_twice_ends_in_the_same_bits(tmp_path, kind, average):
    config = TrainConfig(
        recipe="x",
        epochs=8,
        batch=8,
        save_every=3,
        arch=ARCH,
        optimizer=OptimizerConfig(kind=kind, lr=0.1, base_batch=8, momentum=0.9, bias_lr=2.0),
        schedule=ScheduleConfig(kind="plateau", patience=2, gamma=0.5, warmup_epochs=1),
        average=average,
        bn_group=8,
        precise_bn=30,
        filter_radius=0.2,
        loss="bce",
        label_smoothing=0.1,
    )
    whole = train(config, tmp_path / "whole")
    for until in (2 * STEPS + 5, 6 * STEPS + 1):  # in mid-epoch, and behind an evaluation
        killed = train(config, tmp_path / "killed", until)
        assert killed["state"]["epoch"] < 8
    killed = train(config, tmp_path / "killed")
    for part in ("model", "averaged"):
        assert (part in whole) == (part in killed) == (part == "model" or average.kind != "none")
        for name, value in whole.get(part, {}).items():
            assert torch.equal(killed[part][name], value), (part, name)
    clock = ("seconds", "steps_timed", "waiting_seconds", "evaluation_seconds", "saving_seconds")
    before, after = ({k: v for k, v in c["state"].items() if k not in clock} for c in (whole, killed))
    for state in (before, after):
        state["metrics"] = [{k: v for k, v in epoch.items() if k not in CLOCK} for epoch in state["metrics"]]
    assert before == after
    assert [epoch["epoch"] for epoch in before["metrics"]] == [*range(1, 9)]
    assert len(before["errors"]) == 8
    assert whole["optimizer"]["param_groups"] == killed["optimizer"]["param_groups"]
    assert whole["optimizer"]["param_groups"][0]["lr"] < 0.1, "the plateau has acted"
    assert {group["rate_factor"] for group in whole["optimizer"]["param_groups"]} == {1.0, 2.0}
    if average.kind != "none":
        assert any(not torch.equal(whole["averaged"][name], whole["model"][name]) for name in whole["model"])
        assert before["averaged_counts"][2] == 24
    rms = whole["model"]["0.weight"].square().mean((1, 2, 3)).sqrt()
    assert rms.max() <= 0.2 * (1 + 1e-6)


PRECISE = TrainConfig(
    recipe="x",
    epochs=3,
    batch=8,
    arch=ARCH,
    optimizer=OptimizerConfig(kind="sgd", lr=0.1, base_batch=8),
    schedule=ScheduleConfig(kind="constant"),
    average=AverageConfig("ema", decay=0.9, precise_bn=20),
    precise_bn=30,
    bn_group=10,
)


def test_statistics_are_of_the_average_each_time_and_of_the_weights_at_the_end(tmp_path):
    asked: list[tuple[int, int]] = []

    def counted(groups: list[list[SampleKey]]) -> Iterator[Batch]:
        asked.append((groups[0][0].draw, len(groups)))
        return of_groups(groups)

    content = train(PRECISE, tmp_path / "both", statistics=counted)
    assert asked == [(0, 2), (1, 2), (2, 2), (2, 3)], "epoch, groups of ten"
    one, other = content["model"]["1.running_mean"], content["averaged"]["1.running_mean"]
    assert not torch.equal(one, other)
    running = train(replace(PRECISE, precise_bn=None), tmp_path / "average")
    assert torch.equal(running["averaged"]["1.running_mean"], other)
    assert torch.equal(running["model"]["0.weight"], content["model"]["0.weight"])
    assert not torch.equal(running["model"]["1.running_mean"], one)


@pytest.mark.parametrize("call", [1, 3])
def test_a_run_that_is_stopped_while_statistics_are_computed_begins_them_again(tmp_path, call):
    """After the second epoch, and in the midst of the last evaluation, with the average's already put."""
    whole = train(PRECISE, tmp_path / "whole")
    calls = itertools.count()

    def stopped(groups: list[list[SampleKey]]) -> Iterator[Batch]:
        number = next(calls)
        for batch_number, each in enumerate(of_groups(groups)):
            if (number, batch_number) == (call, 1):
                raise Stopped("asked", 75)
            yield each

    with pytest.raises(Stopped):
        train(PRECISE, tmp_path / "stopped", statistics=stopped)
    half = checkpoint.load(checkpoint.find_last(tmp_path / "stopped/checkpoints"))
    assert (half["state"]["epoch"], half["state"]["step"]) == ({1: 1, 3: 2}[call], STEPS)
    ended = train(PRECISE, tmp_path / "stopped")
    for part in ("model", "averaged"):
        assert all(torch.equal(ended[part][name], value) for name, value in whole[part].items())
    assert ended["state"]["errors"] == whole["state"]["errors"]


def test_elapsed_time_is_that_of_training_evaluation_and_saving(tmp_path, monkeypatch):
    """Curves over time are drawn by it. The clock here goes on by a second each time that it is read."""
    clock = itertools.count()
    for module in (loop, validation):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    config = TrainConfig(
        recipe="x",
        epochs=4,
        batch=8,
        arch=ARCH,
        evaluate_every=2,
        optimizer=OptimizerConfig(kind="sgd", lr=0.1),
        schedule=ScheduleConfig(kind="constant"),
    )
    told = Told()
    train(config, tmp_path, log=told)
    seconds = 0
    for number, epoch in enumerate(told.epochs):
        evaluated = number % 2 == 1
        assert ("evaluation_seconds" in epoch) == evaluated
        assert epoch["training_seconds"] > 1
        assert epoch.get("evaluation_seconds", 1) == 1
        seconds += epoch["training_seconds"] + epoch.get("evaluation_seconds", 0)
        assert epoch["elapsed_seconds"] == seconds
        seconds += 1  # the save at the end of this epoch


def test_validation_loss_knows_no_smoothing_and_no_other_loss(tmp_path):
    """With a rate of zero the weights stay, so that the validation loss may not depend on the training loss."""
    trained, validated = set(), set()
    for keys in ({}, {"label_smoothing": 0.3}, {"loss": "bce"}):
        config = TrainConfig(
            recipe="x",
            epochs=1,
            batch=8,
            arch=ARCH,
            optimizer=OptimizerConfig(kind="sgd", lr=0.0),
            schedule=ScheduleConfig(kind="constant"),
            **keys,
        )
        told = Told()
        train(config, tmp_path / str(len(trained)), log=told)
        trained.add(told.epochs[0]["train_loss"])
        validated.add(told.epochs[0]["val_loss"])
    assert len(trained) == 3
    assert len(validated) == 1
