"""Pre-activation ResNet: counted figures, stages, and the identity that gives the paper its name."""

from __future__ import annotations

import pytest
import torch
from checks import assert_gradients, build_meta, multiply_adds, parameters, shapes
from torch import nn

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

# Parameters and multiply-adds at 224x224 with 1000 classes.
FIGURES = {
    "preact_resnet18": (11_687_720, 1_814_073_344),
    "preact_resnet34": (21_795_880, 3_663_761_408),
    "preact_resnet50": (25_549_352, 4_089_184_256),
    "preact_resnet101": (44_541_480, 7_801_405_440),
    "preact_resnet152": (60_185_128, 11_513_626_624),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name)
    assert (parameters(network), multiply_adds(network, 224)) == FIGURES[name]


def test_figures_of_the_papers_200_layers():
    network = build_meta("preact_resnet152", depths=(3, 24, 36, 3))
    assert (parameters(network), multiply_adds(network, 224)) == (64_666_152, 15_007_481_856)


@pytest.mark.parametrize("name", FIGURES)
def test_stages(name):
    factor = 1 if name in ("preact_resnet18", "preact_resnet34") else 4
    stages = [(factor * width, side, side) for width, side in [(64, 56), (128, 28), (256, 14), (512, 7)]]
    names = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert shapes(build_meta(name), 224, names) == [(64, 112, 112), (64, 56, 56), *stages, (1000,)]


@pytest.mark.parametrize("name", ["preact_resnet18", "preact_resnet50"])
def test_gradients(name):
    assert_gradients(name)


@pytest.mark.parametrize(("name", "last"), [("preact_resnet18", "conv2"), ("preact_resnet50", "conv3")])
def test_a_block_adds_to_an_untouched_shortcut(name, last):
    torch.manual_seed(0)
    stage = build(name, num_classes=3).layer2.eval()
    for block in stage:
        nn.init.zeros_(getattr(block, last).weight)
    x = torch.randn(2, stage[1].bn1.num_features, 5, 5)
    assert torch.equal(stage[1](x), x)  # no ReLU after the addition, no normalisation on the way

    x = torch.randn(2, stage[0].bn1.num_features, 6, 6)
    activated = stage[0].bn1(x).relu()
    projected = nn.functional.conv2d(activated, stage[0].downsample.weight, stride=2)
    torch.testing.assert_close(stage[0](x), projected)


@pytest.mark.parametrize("name", ["preact_resnet18", "preact_resnet50"])
def test_every_convolution_but_the_stem_sees_activations(name):
    torch.manual_seed(0)
    network = build(name, num_classes=3)
    smallest = {}
    for key, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _, x, key=key: smallest.__setitem__(key, x[0].min().item()))
    network(torch.randn(2, 3, 48, 48))
    assert [key for key, value in smallest.items() if value < 0] == ["conv1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(stem="tiny"), "preact_resnet has no stem 'tiny': choose one of imagenet, cifar"),
        (dict(depths=(1, 1)), r"cannot have depths \(1, 1\): give 4 numbers of at least 1"),
        (dict(widen=0.001), "cannot be widened by 0.001"),
        (dict(block_dropout=-1), "dropout probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_meta("preact_resnet18", **options)
