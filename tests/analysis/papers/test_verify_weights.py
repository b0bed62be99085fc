"""Published weights against the error that their publisher states, by the real command."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from cnnbench.analysis.papers import published
from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow


@pytest.fixture
def weights(tmp_path, small_data):
    """The words for a file whose publisher is known by its names, on 23 images of 3 classes."""
    state = build("resnet20", 3).state_dict()
    torch.save({name.replace("fc.", "linear."): value for name, value in state.items()}, tmp_path / "w.th")
    shutil.copytree(small_data, tmp_path / "small")
    return ("verify", "arch=resnet20", "weights=w.th", "data=small", "device=cpu", "data.workers=0")


def test_other_images_than_the_published_are_not_comparable(command, weights):
    done = command(*weights)
    assert done.returncode == 1
    assert "resnet20, akamaster, pytorch_resnet_cifar10 resnet20: not comparable" in done.stdout
    assert "/small are not those of any published error" in " ".join(done.stdout.split())


def test_an_error_is_held_against_the_published_one(command, weights, monkeypatch, tmp_path):
    monkeypatch.setitem(published.PUBLISHED_SPLITS, "cifar10_test", (23, 10, None))
    done = command(*weights, "format=json", "output=v.json", "arch.std=[0.2,0.2,0.2]")
    assert json.loads(done.stdout)
    written = json.loads((tmp_path / "v.json").read_text())
    top1 = written["judgements"][0]
    assert (top1["published"], top1["source"]) == (8.27, "akamaster, cifar10_test")
    assert top1["measured"] == pytest.approx(100 * round(top1["measured"] * 0.23) / 23)
    assert written["verdict"] == ("pass" if top1["low"] <= top1["measured"] <= top1["high"] else "high")
    assert done.returncode == (written["verdict"] != "pass")
    assert written["causes"] == ["arch.std=[0.2, 0.2, 0.2], not [0.229, 0.224, 0.225] as akamaster has it"]
    assert "arch.std=[0.2,0.2,0.2] is kept as given" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify"], "nothing to verify: give run=NAME, or weights=FILE"),
        (["verify", "weights=w.th"], "weights= needs arch=NETWORK"),
        (["verify", "arch=resnet20", "weights=w.th"], "data is missing"),
        (["verify", "arch=resnet20", "weights=none.th", "data=small"], "there is no such file"),
        (["verify", "run=a", "weights=w.th"], "run= and weights= exclude each other"),
    ],
)
def test_mistakes_are_one_line(command, weights, words, said):
    done = command(*words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_weights_of_nobody_are_not_verified(command, weights, tmp_path):
    torch.save(build("resnet20", 3).state_dict(), tmp_path / "w.th")
    done = command(*weights)
    assert done.returncode == 2
    assert "nothing is published of weights whose publisher is not known: give weights_from=NAME" in done.stderr


def test_zoo_lists_what_is_known(command):
    done = command("zoo", "weights=true", "name=resnet20", "format=csv")
    assert done.stdout.splitlines()[1] == "resnet20,akamaster,32,32,bilinear,ilsvrc,8.27,"
    table = command("zoo", "weights=true", "name=resnet50").stdout
    assert "resnet50 torchvision:IMAGENET1K_V2 224 232 bilinear ilsvrc 19.14 4.57" in " ".join(table.split())
    assert "- resnet50_v1, keras: arch.options.conv_bias=true arch.options.epsilon=1.001e-05" in table
    assert "images ilsvrc: mean 0.485 0.456 0.406 and deviation 0.229 0.224 0.225" in table
