"""What a checkpoint makes of processes whose statistics differ: their mean, and each one's own for as many again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnbench.config.arch import ArchConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.distributed import Process
from cnnbench.training import snapshot
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData
from cnnbench.training.state import TrainState


def context_of(world: int = 1) -> TrainContext:
    """What trains a batch normalisation, as one process of `world`."""
    arch = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.5] * 3)
    config = TrainConfig(recipe="x", epochs=1, batch=4, arch=arch, optimizer=OptimizerConfig(kind="sgd", lr=0.1))
    context = build_context(config, nn.BatchNorm1d(2), TrainData(["a"], 4, None, None, {}), Path("nowhere"))
    context.process = Process(0, world)
    return context


def test_what_differs_between_processes_is_averaged_and_kept_beside(monkeypatch):
    def with_others(mine: dict, _: Process) -> list[dict]:
        def other(value: float) -> dict:
            buffers = {name: torch.full_like(buffer, value) for name, buffer in mine["buffers"].items()}
            return {"loss_sum": 10 * value, "counted": int(value), "buffers": buffers, "wrong": int(value)}

        return [mine, other(4.0), other(8.0)]

    monkeypatch.setattr(snapshot, "gather_to_leader", with_others)
    one = context_of(world=3)
    content = snapshot.content(one, TrainState(step=3, loss_sum=6.0, counted=3, wrong=5))
    assert content["model"]["running_mean"].tolist() == [4.0, 4.0]  # of 0, 4 and 8
    assert content["model"]["running_var"].tolist() == pytest.approx([13 / 3] * 2)  # of 1, 4 and 8
    assert one.model.running_mean.tolist() == [0.0, 0.0], "nothing changes"

    again = context_of(world=3)
    position = snapshot.restore(again, content)
    assert (position.loss_sum, position.counted, position.wrong) == (6.0, 3, 5)
    assert again.model.running_mean.tolist() == [0.0, 0.0]

    alone = context_of(world=1)
    position = snapshot.restore(alone, content)
    assert (position.loss_sum, position.counted) == ((6 + 40 + 80) / 3, (3 + 4 + 8) / 3)
    assert position.wrong == 5 + 4 + 8, "a count stays whole: the leader has it, and the others none"
    other = context_of(world=2)
    other.process = Process(1, 2)
    assert snapshot.restore(other, content).wrong == 0
    assert alone.model.running_mean.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("world", [1, 3])
def test_what_all_processes_have_alike_is_kept_once(monkeypatch, world):
    """As where statistics are synchronised, or frozen: to the bit, also where a mean of three would round."""

    def with_alike(mine: dict, _: Process) -> list[dict]:
        return [{**mine, "buffers": dict(mine["buffers"])} for _ in range(world)]

    monkeypatch.setattr(snapshot, "gather_to_leader", with_alike)
    one = context_of(world)
    one.model.running_mean.fill_(0.1)
    content = snapshot.content(one, TrainState(step=3))
    assert [share["buffers"] for share in content["shares"]] == [{}] * world
    again = context_of(world)
    snapshot.restore(again, content)
    assert torch.equal(again.model.running_mean, one.model.running_mean)
