"""Weights under names that nobody here knows, by their order and shapes, where these leave no choice."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    network = build("resnet20", 10)
    for buffer in network.buffers():
        if buffer.dim():
            nn.init.uniform_(buffer, 0.5, 1.5)
    return network.state_dict()


def renamed(state, rename):
    return {rename(name): value for name, value in state.items()}


def loaded(tmp_path, state, **options):
    torch.save(state, tmp_path / "w.pth")
    model = build("resnet20", 10)
    return load_weights(model, tmp_path / "w.pth", **options), model.state_dict()


PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def keras(name: str) -> str:
    """As Keras writes the names of normalisations."""
    layer, _, part = name.rpartition(".")
    return f"{layer.replace('.', '_')}/{PARTS.get(part, part)}" if "bn" in layer else name.replace(".", "_")


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: re.sub(r"layer(\d)\.(\d)\.(conv|bn)", r"stages.\1.unit\2.\3_", name).replace("fc", "classifier"),
        keras,
        lambda name: name.replace(".conv", ".a").replace(".bn", ".b"),
    ],
)
def test_unknown_names_are_paired_where_they_are_in_order(tmp_path, state, rename):
    theirs = renamed(state, rename)
    with pytest.raises(ValueError, match=r"names that are not known here: weights_match=shapes pairs them"):
        loaded(tmp_path, theirs)
    notes, own = loaded(tmp_path, theirs, match="shapes")
    assert re.match(r"39 layers paired by order and shapes, unseen by name: \S+ is conv1, ..., \S+ is fc", notes[0])
    for name, value in own.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, state[name])


def test_a_scale_is_not_taken_for_a_mean(tmp_path, state):
    """They have equal shapes: only their names tell."""
    theirs = renamed(state, lambda name: name.replace("layer", "l").replace("running_mean", "first"))
    with pytest.raises(ValueError, match=r"bn1\.first of the file is not called weight, bias, mean or variance"):
        loaded(tmp_path, theirs, match="shapes")


def test_layers_that_could_be_exchanged_are_listed(tmp_path, state):
    swapped = renamed(state, lambda name: name.replace(".conv1.", ".z.").replace(".conv2.", ".y."))
    with pytest.raises(ValueError, match=r"could be another, .*: layer1\.0\.z, layer1\.0\.y, .* for layer1\.0\.conv1"):
        loaded(tmp_path, swapped, match="shapes")


def test_blocks_that_could_be_exchanged_are_listed(tmp_path, state):
    swapped = renamed(state, lambda name: name.replace("layer1.0.", "layer1.b.").replace("layer1.1.", "layer1.a."))
    with pytest.raises(ValueError, match=r"their names do not tell: conv1|layer1\.b\.conv1"):
        loaded(tmp_path, swapped, match="shapes")


def test_other_layers_are_named(tmp_path, state):
    theirs = renamed(state, lambda name: f"x{name}")
    theirs["xlayer1.1.conv2.weight"] = torch.zeros(16, 16, 5, 5)
    said = r"layer 9 is xlayer1.1.conv2 \(weight \[16, 16, 5, 5\]\) in the file and layer1.1.conv2 \(weight \[16, 16, 3"
    with pytest.raises(ValueError, match=said):
        loaded(tmp_path, theirs, match="shapes")
    with pytest.raises(ValueError, match=r"40 layers in the file and 39 in the network"):
        loaded(tmp_path, renamed(state, lambda name: f"x{name}") | {"xz.weight": torch.zeros(3)}, match="shapes")


def test_known_names_win(tmp_path, state):
    assert loaded(tmp_path, state, match="shapes")[0] == []
