"""Fine-tuning: what is frozen stays to the bit, rates by depth, and both under resume and several processes."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn

from cnnbench.archs.depth import depths, modules_up_to
from cnnbench.archs.registry import build
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError
from cnnbench.training.frozen import Frozen
from cnnbench.training.optimizers.build import build_optimizer, module_factors

WORDS = ("arch=resnet20", "recipe=quick", "image_size=16", "device=cpu", "data.workers=0", "logger=[]", "batch=20")
START = ("weights=w.pt", "freeze=conv3_x", "precise_bn=40", "average=ema", "filter_radius=0.01")


def rates(network: nn.Module, size: int, **keys: float) -> dict[str, float]:
    config = OptimizerConfig(kind="sgd", lr=1.0, **keys)
    groups = build_optimizer(network, config, 256, module_factors(network, config, size, 3)).param_groups
    names = {parameter: name for name, parameter in network.named_parameters()}
    return {names[parameter]: group["lr"] for group in groups for parameter in group["params"]}


def test_rates_by_depth():
    found = rates(build("resnet20", 10), 32, layer_decay=0.5, classifier_lr=3.0, bias_lr=2.0)
    assert len(found) == len(dict(build("resnet20", 10).named_parameters()))
    assert (found["fc.weight"], found["fc.bias"]) == (3.0, 6.0)
    assert found["layer3.2.conv1.weight"] == found["layer3.2.bn2.bias"] == 0.5
    assert found["layer3.1.conv2.weight"] == 0.25
    assert found["conv1.weight"] == found["bn1.weight"] == found["bn1.bias"] == 0.5**10
    plain = rates(build("alexnet", 10, image_size=67), 67, layer_decay=0.5)
    assert sorted({v for n, v in plain.items() if n.endswith("weight")}) == [0.5**n for n in range(7, -1, -1)]


@pytest.mark.parametrize(
    ("name", "size"), [("googlenet", 64), ("vgg11_bn", 224), ("xception", 64), ("densenet121", 32)]
)
def test_every_weight_has_a_depth(name, size):
    with torch.device("meta"):
        network = build(name, 10)
    found = depths(network, size, 3)
    order = [path for path in found if not path.startswith("aux")]
    assert found[order[0]] == max(found.values())
    assert [path for path in order if found[path] == 0] == [network.CLASSIFIER]
    assert set(found.values()) == set(range(max(found.values()) + 1))


def test_what_lies_up_to_a_layer():
    with torch.device("meta"):
        network = build("googlenet", 10)
    found = modules_up_to(network, "inception4a", 64, 3)
    children = {path.partition(".")[0] for path in found}
    assert {"conv1", "inception3b", "inception4a"} <= children
    assert not {"inception4b", "aux1", "fc"} & children
    for layer in ("logits", "fc"):
        with pytest.raises(UserError, match="nothing would be left to train"):
            modules_up_to(network, layer, 64, 3)


def test_what_is_frozen_runs_as_in_evaluation():
    network = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3), nn.Dropout()), nn.Dropout())
    network.eval()
    Frozen(frozenset({"0", "0.0", "0.1"})).train(network)
    assert [module.training for module in network.modules()] == [True, False, False, False, True]


@pytest.fixture
def place(tmp_path):
    torch.manual_seed(1)
    network = build("resnet20", 7)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -0.1, 0.1)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    return tmp_path


def last(folder) -> dict:
    return checkpoint.load(folder / "checkpoints/last.pt")


def test_a_frozen_part_stays_to_the_bit_and_a_run_continues_to_the_same(place, command, small_data):
    words = [*WORDS, *START, f"data={small_data}", "processes=2", "epochs=2", "batch=20", "save_every=1"]
    whole = command("train", *words, "run=whole")
    assert whole.returncode == 0, whole.stderr
    assert "new classifier fc: 7 classes in the file, 3 in the network" in whole.stdout
    assert "parameters up to conv3_x, run as in evaluation" in whole.stdout
    assert "norms       19 of momentum 0.1, epsilon 1e-05; 13 of them frozen; computed anew" in whole.stdout
    first, end = torch.load(place / "w.pt"), last(place / "runs/whole")
    held = ("conv1.", "bn1.", "layer1.", "layer2.")
    for name, before in first.items():
        for part in ("model", "averaged"):
            same = before.shape == end[part][name].shape and torch.equal(end[part][name], before)
            assert same == name.startswith(held), (part, name)
    assert command("train", *words, "run=stopped", "max_hours=1e-9").returncode == 75
    again = command("train", *words, "run=stopped")
    assert again.returncode == 0, again.stderr
    for part in ("model", "averaged"):
        for name, value in last(place / "runs/stopped")[part].items():
            assert torch.equal(value, end[part][name]), (part, name)


def test_a_probe_of_random_weights_says_that_its_rate_is_too_high(place, command, small_data):
    """Statistics of 0 and 1 that nobody took let the features of an untrained network grow from block to block."""
    words = (
        "train",
        *WORDS,
        "recipe=probe",
        f"data={small_data}",
        "epochs=2",
        "augment=none",
        "optimizer.base_batch=20",
    )
    done = command(*words, "run=drawn", "optimizer.lr=1")
    assert done.returncode == 0, done.stderr
    assert "these are random: no weights= is given" in done.stdout
    assert "norms       19, all of them frozen: statistics, scales and shifts stay as they begin" in done.stdout
    assert (
        "where a classifier whose weights are 0 has 1.099: optimizer.lr is too high for frozen features" in done.stdout
    )
    done = command(*words, "run=slow", "optimizer.lr=1e-6")
    assert "too high" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("freeze=fc9",), "the network has no layer 'fc9'"),
        (("freeze=logits",), "freeze=logits fixes the classifier too"),
        (("optimizer.layer_decay=0",), "optimizer.layer_decay=0.0 is out of range"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(command, small_data, words, said):
    done = command("train", *WORDS, f"data={small_data}", "epochs=1", "run=r", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_on_other_classes_of_the_same_number_has_a_new_classifier(command, small_data, tmp_path):
    others = tmp_path / "others"
    for split in ("train", "val"):
        for name, new in (("bag", "ant"), ("sandal", "bee"), ("trouser", "cat")):
            shutil.copytree(small_data / split / name, others / split / new)
    first = ("recipe=quick", "arch=lenet", "batch=20", "epochs=1", "data.workers=0")
    assert command("train", *first, f"data={small_data}", "run=first").returncode == 0
    words = ("train", *first, "weights=runs/first/checkpoints/last.pt", "optimizer.lr=0")
    same = command(*words, f"data={small_data}", "run=same")
    assert "classifier" not in same.stdout
    done = command(*words, f"data={others}", "run=others")
    assert "new classifier output: the file's is of other classes, bag, sandal, trouser; weights_class" in done.stdout
    kept = command(*words, f"data={others}", "run=kept", "weights_classifier=keep")
    assert "classifier" not in kept.stdout
    states = [
        checkpoint.load(tmp_path / f"runs/{run}/checkpoints/last.pt")["model"]
        for run in ("first", "same", "others", "kept")
    ]
    before, *after = (state["output.weight"] for state in states)
    assert [torch.equal(before, weight) for weight in after] == [True, False, True]
    assert all(torch.equal(states[0]["c1.weight"], state["c1.weight"]) for state in states)
    done = command("train", *first, f"data={others}", "weights_classifier=new")
    assert "weights_classifier=new acts only with weights=FILE" in done.stderr
