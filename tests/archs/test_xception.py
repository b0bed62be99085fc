"""Xception, against the paper's count and Figure 5."""

from __future__ import annotations

import math

import pytest
import torch
from checks import assert_gradients, build_meta, multiply_adds, parameters, shapes
from torch import nn

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow


def test_figures():
    network = build_meta("xception")
    assert (parameters(network), multiply_adds(network, 299)) == (22_855_952, 8_357_403_496)  # the paper: 22,855,952


def test_flows_are_those_of_figure_5():
    expected = {
        "conv1": (32, 149, 149),
        "conv2": (64, 147, 147),
        "block1": (128, 74, 74),
        "block2": (256, 37, 37),
        "block3": (728, 19, 19),
        **{f"block{i}": (728, 19, 19) for i in range(4, 12)},
        "block12": (1024, 10, 10),
        "conv3": (1536, 10, 10),
        "conv4": (2048, 10, 10),
        "fc": (1000,),
    }
    assert shapes(build_meta("xception"), 299, list(expected)) == list(expected.values())


# Which layers a block has, in order: the first block begins without ReLU, the middle ones have no pooling.
@pytest.mark.parametrize(
    ("block", "layers"),
    [
        ("block1", "Separable BatchNorm2d ReLU Separable BatchNorm2d MaxPool2d"),
        ("block2", "ReLU Separable BatchNorm2d ReLU Separable BatchNorm2d MaxPool2d"),
        ("block7", "ReLU Separable BatchNorm2d ReLU Separable BatchNorm2d ReLU Separable BatchNorm2d"),
        ("block12", "ReLU Separable BatchNorm2d ReLU Separable BatchNorm2d MaxPool2d"),
    ],
)
def test_layers_of_the_blocks(block, layers):
    rep = getattr(build_meta("xception"), block).rep
    assert [type(layer).__name__ for layer in rep] == layers.split()


def test_the_first_separable_convolution_of_the_exit_flow_keeps_728_channels():
    separable = [rep for rep in build_meta("xception").block12.rep if type(rep).__name__ == "Separable"]
    assert [conv.pointwise.out_channels for conv in separable] == [728, 1024]


def test_an_activation_between_depthwise_and_pointwise_is_a_word():
    """Section 4.7, with the same weights."""
    torch.manual_seed(0)
    plain = build("xception", num_classes=3).conv3
    x = torch.randn(1, plain.conv1.in_channels, 5, 5)
    for word, between in (("relu", torch.relu), ("elu", nn.functional.elu), ("none", lambda y: y)):
        separable = build("xception", num_classes=3, intermediate_activation=word).conv3
        separable.load_state_dict(plain.state_dict())
        torch.testing.assert_close(separable(x), separable.pointwise(between(separable.conv1(x))))
        assert torch.equal(separable(x), plain(x)) == (word == "none")
    with pytest.raises(ValueError, match="no intermediate activation 'gelu': choose one of none, relu, elu"):
        build_meta("xception", intermediate_activation="gelu")


def test_nothing_stands_between_depthwise_and_pointwise():
    torch.manual_seed(0)
    separable = build("xception", num_classes=3).conv3
    x = torch.randn(2, 1024, 5, 5)
    depthwise = nn.functional.conv2d(x, separable.conv1.weight, padding=1, groups=1024)
    torch.testing.assert_close(separable(x), nn.functional.conv2d(depthwise, separable.pointwise.weight))


def test_a_middle_block_adds_to_its_input():
    torch.manual_seed(0)
    block = build("xception", num_classes=3).block5.eval()
    nn.init.zeros_(block.rep[-1].weight)
    x = torch.randn(2, 728, 4, 4)
    kept = x.clone()
    assert torch.equal(block(x), kept)  # also: its first ReLU does not act in place
    assert torch.equal(x, kept)


def test_gradients():
    assert_gradients("xception", size=64)


def test_initialisation_dropout_and_normalisation():
    torch.manual_seed(0)
    network = build("xception", num_classes=10)
    bound = math.sqrt(6 / (728 + 728))
    assert network.block5.rep[1].pointwise.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert network.dropout.p == 0.5
    assert build("xception", num_classes=10, dropout=0.0).dropout.p == 0.0
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.1)}


def test_autocast_and_channels_last():
    torch.manual_seed(0)
    network = build("xception", num_classes=3, in_channels=1).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.randn(2, 1, 64, 64).to(memory_format=torch.channels_last))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
