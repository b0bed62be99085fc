"""`cnnbench average`: the mean against an own sum, its statistics against those of training, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cnnbench.config.checkpoint_mean import RESERVED
from cnnbench.runs import checkpoint

WORDS = ("train", "arch=resnet20", "recipe=cifar_resnet", "image_size=16", "batch=16", "eval_batch=32", "keep_every=1")

REFUSED = (
    (["last=4"], "has epoch-0001, epoch-0002, epoch-0003: give last=3"),
    (["last=1"], "last=1 is out of range: it must be at least 2"),
    (["checkpoints=[7,last]"], "has no checkpoint=7; it has best, epoch-0001"),
    (["checkpoints=[3,epoch-3]"], "names one twice"),
    (["checkpoints=[last]"], "a mean needs two"),
    (["last=2", "weights_kind=averaged"], "has no averaged weights: it was trained with average.kind=none"),
    (["name=last"], "is one of the run's own"),
    (["name=epoch-0002"], "is one of the run's own"),
    (["name=a/b"], "is no name of a file"),
)


@pytest.fixture
def run(command, small_data, tmp_path) -> Path:
    done = command(*WORDS, f"data={small_data}", "epochs=3", "precise_bn=48", "data.workers=0", "run=r", "device=cpu")
    assert done.returncode == 0, done.stderr
    return tmp_path / "runs/r/checkpoints"


def test_the_mean_with_statistics_of_its_own_is_a_checkpoint_like_others(run, command):
    done = command("average", "run=r", "last=2", "precise_bn=null", "name=plain")
    assert done.returncode == 0, done.stderr
    assert "the mean of 2 checkpoints, epoch-0002, epoch-0003" in done.stdout
    second, third, plain = (checkpoint.load(run / f"{name}.pt") for name in ("epoch-0002", "epoch-0003", "plain"))
    for name, value in plain["model"].items():
        a, b = second["model"][name], third["model"][name]
        expected = ((a.double() + b.double()) / 2).to(a.dtype) if a.is_floating_point() else b
        assert torch.equal(value, expected), name
    assert {"optimizer", "scaler", "averaged"}.isdisjoint(plain)

    done = command("average", "run=r", "last=2", "precise_bn=48", "workers=0")
    assert "anew, over 48 training images in groups of 32" not in done.stdout  # 16 that are left make no group
    assert "anew, over 32 training images in groups of 32" in done.stdout
    mean = checkpoint.load(run / "average.pt")["model"]
    same = {name for name, value in mean.items() if torch.equal(value, plain["model"][name])}
    assert {name for name in mean if name not in same} == {name for name in mean if "running_" in name}

    done = command("eval", "run=r", "checkpoint=average", "data.workers=0", "output=e.json")
    assert done.returncode == 0, done.stderr
    assert "resnet20 mean of epoch-0002, epoch-0003 of runs/r" in done.stdout


def test_statistics_of_equal_checkpoints_are_those_that_training_computed(run, command):
    done = command("average", "run=r", "checkpoints=[3,last]", "precise_bn=48", "workers=0")
    assert done.returncode == 0, done.stderr
    mean, last = (checkpoint.load(run / name)["model"] for name in ("average.pt", "last.pt"))
    assert all(torch.equal(mean[name], value) for name, value in last.items())


def test_a_run_goes_on_beside_its_mean(run, command, tmp_path, small_data):
    assert command("average", "run=r", "last=2", "precise_bn=null").returncode == 0
    done = command(*WORDS, f"data={small_data}", "epochs=3", "precise_bn=48", "data.workers=0", "run=r", "device=cpu")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "runs/r/status.json").read_text())["state"] == "complete"
    assert (run / "average.pt").exists()


def test_what_cannot_be_averaged_is_one_sentence(run, command):
    for words, said in REFUSED:
        done = command("average", "run=r", *words)
        assert done.returncode == 2, words
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (run / "average.pt").exists()


def test_other_images_are_refused_where_statistics_need_them(run, command, small_data, tmp_path):
    for file in [*(small_data / "train/bag").iterdir()][:1]:
        kept = file.read_bytes()
        file.unlink()
    try:
        done = command("average", "run=r", "last=2")
    finally:
        file.write_bytes(kept)
    assert done.returncode == 2
    assert "has other images than the run was trained on: give precise_bn=null" in done.stderr


def test_every_name_that_a_run_gives_is_reserved():
    names = (checkpoint.LAST, checkpoint.PREVIOUS, checkpoint.BEST, checkpoint.DAMAGED, checkpoint.of_epoch(7))
    assert all(RESERVED.fullmatch(name.removesuffix(".pt")) for name in names)
