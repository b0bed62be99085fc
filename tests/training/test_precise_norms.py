"""Statistics computed anew: against the definition written out, whatever the number of processes, and in whole runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnbench.archs.norms import batch_norms, with_ghost_batches
from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.precision import Precision
from cnnbench.training import precise_norms
from cnnbench.training.data import needs_statistics, statistics_order
from cnnbench.training.precise_norms import precise_statistics, put

FLOAT32 = Precision("float32", "cpu")


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for norm in batch_norms(model).values():
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
            norm.running_mean.normal_()
    return model


def batches(count: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(1)
    return [(torch.randn(6, 3, 8, 8, generator=draw) * (i + 1), torch.zeros(6)) for i in range(count)]


def by_hand(model: nn.Module, data: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    """Both normalisations, each by the mean over the images of batch means and of batch means of squares."""
    model = copy.deepcopy(model).double()
    conv1, norm1, _, _, conv2, norm2 = model
    sums = [torch.zeros(2, norm.num_features, dtype=torch.float64) for norm in (norm1, norm2)]
    for images, _ in data:
        x = images.double()
        for number, (conv, norm) in enumerate(((conv1, norm1), (conv2, norm2))):
            x = conv(x)
            for channel in range(x.shape[1]):
                values = x[:, channel].flatten().tolist()
                mean, square = sum(values) / len(values), sum(value**2 for value in values) / len(values)
                sums[number][:, channel] += torch.tensor([mean, square], dtype=torch.float64) * len(images)
                x[:, channel] = (x[:, channel] - mean) / (square - mean**2 + norm.eps) ** 0.5
                x[:, channel] = x[:, channel] * norm.weight[channel] + norm.bias[channel]
            x = x.relu()
    means = [(mean / 30, square / 30) for mean, square in sums]
    return [value for mean, square in means for value in (mean, square - mean**2)]


@pytest.mark.parametrize("ghosts", [False, True])
@torch.no_grad()
def test_statistics_are_those_of_the_definition(ghosts):
    model, data = network(), batches()
    expected = by_hand(model, data)
    if ghosts:
        with_ghost_batches(model, 2)
    before = copy.deepcopy(model.state_dict())
    found = precise_statistics(model, data, FLOAT32, Process())
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items()), "not yet put"
    put(found)
    own = [buffer for norm in batch_norms(model).values() for buffer in (norm.running_mean, norm.running_var)]
    for value, right in zip(own, expected, strict=True):
        torch.testing.assert_close(value, right.float(), rtol=1e-5, atol=1e-5)
    assert not model.training
    assert all("forward" not in vars(norm) for norm in batch_norms(model).values())


def test_shared_by_processes_they_are_the_same(monkeypatch):
    """Three processes, of which the last has one batch less: each adds its sums, and asks the others as often."""
    model, data = network(), batches()
    expected = precise_statistics(model, data, FLOAT32, Process())
    parts: list[list[torch.Tensor]] = []
    for rank in range(3):
        told: list[torch.Tensor] = []
        calls: list[int] = []
        monkeypatch.setattr(
            precise_norms, "sum_over_group", lambda values, process, told=told: told.append(values.clone()) or values
        )
        before = lambda calls=calls: calls.append(1)  # noqa: E731
        precise_statistics(network(), data[rank::3], FLOAT32, Process(rank, 3), before, 2)
        assert len(calls) == 2
        parts.append(told)
    totals = iter([sum(same) for same in zip(*parts, strict=True)])
    monkeypatch.setattr(precise_norms, "sum_over_group", lambda values, process: next(totals))
    found = precise_statistics(network(), data[:1], FLOAT32, Process(0, 3))
    for (_, value), (_, right) in zip(found, expected, strict=True):
        torch.testing.assert_close(value, right, rtol=1e-13, atol=1e-13)


def test_what_an_evaluation_does_not_use_is_left_as_it_is():
    model = network()
    model.add_module("head", nn.Identity())
    model.head.norm = nn.BatchNorm2d(4)
    found = precise_statistics(model, batches(), FLOAT32, Process())
    assert len(found) == 4


def config(**keys: object) -> TrainConfig:
    return TrainConfig(recipe="x", epochs=3, batch=8, arch=ArchConfig(name="tiny"), **keys)


def test_groups_are_those_of_the_epoch_and_of_no_process():
    groups = statistics_order(config(), 1000, 100, 2)
    assert [len(group) for group in groups] == [32, 32, 32]
    keys = [key for group in groups for key in group]
    assert {key.draw for key in keys} == {2}
    assert len({key.image for key in keys}) == 96
    assert statistics_order(config(), 1000, 100, 1) != groups == statistics_order(config(), 1000, 100, 2)
    assert [len(group) for group in statistics_order(config(bn_group=20), 1000, 100, 0)] == [20] * 5
    assert [len(group) for group in statistics_order(config(), 20, 8192, 0)] == [20]
    repeated = statistics_order(config(augment=AugmentConfig(repeats=4)), 1000, 32, 2)
    assert {key.draw for key in repeated[0]} == {8}, "draws of epoch 2 are 8 to 11"


def test_a_loader_is_opened_only_for_who_asks():
    assert not needs_statistics(config())
    assert not needs_statistics(config(average=AverageConfig("none", precise_bn=9)))
    assert needs_statistics(config(average=AverageConfig("ema", precise_bn=9)))
    assert needs_statistics(config(precise_bn=9))


WORDS = ("arch=resnet20", "image_size=16", "recipe=quick", "batch=12", "data.workers=0", "log_every=0", "epochs=1")
PRECISE = ("precise_bn=40", "average=polyak", "average.start_epoch=0", "average.precise_bn=40", "bn_group=4")


def test_a_runs_checkpoint_holds_what_was_evaluated(command, tmp_path, small_data):
    """Of the weights at the end, and of their average; and two processes compute what one does, of weights that are the
    same: at a rate of 0, which leaves running statistics to differ by the images of each process."""
    contents = []
    for name, more in {"one": (), "two": ("processes=2",)}.items():
        words = (*WORDS, f"data={small_data}", *PRECISE, "optimizer.lr=0", "logger=[]", f"run={name}")
        done = command("train", *words, *more)
        assert done.returncode == 0, done.stderr
        assert "computed anew over 40 training images for the last evaluation" in done.stdout
        contents.append(torch.load(tmp_path / f"runs/{name}/checkpoints/last.pt", weights_only=True))
    one, two = contents
    for network_name in ("model", "averaged"):
        for tensor, value in one[network_name].items():
            torch.testing.assert_close(value, two[network_name][tensor], rtol=1e-5, atol=1e-6)
    assert torch.equal(one["model"]["bn1.running_var"], one["averaged"]["bn1.running_var"])
    assert one["model"]["bn1.num_batches_tracked"] == 5
    result = json.loads((Path(tmp_path) / "runs/two/result.json").read_text())
    again = command("eval", "run=two", "weights_kind=averaged", "data.workers=0", "processes=1")
    assert f"{result['averaged_wrong_top1']}/23" in again.stdout


@pytest.mark.parametrize("word", ["precise_bn=40", "bn_group=4"])
def test_a_network_without_batch_normalisation_refuses(command, small_data, word):
    done = command("train", f"data={small_data}", "arch=lenet", "recipe=quick", "batch=12", "data.workers=0", word)
    assert done.returncode == 2
    assert f"{word.partition('=')[0]} acts on batch normalisation, and lenet has none: leave it out" in done.stderr
