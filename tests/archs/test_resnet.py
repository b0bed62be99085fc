"""ResNet and plain networks, against the paper's Table 1, counted figures, and torchvision."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from checks import assert_gradients, assert_same, build_meta, multiply_adds, parameters, shapes
from torch import nn

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

# Parameters and multiply-adds at 224x224 with 1000 classes. v1 has the parameters of v1.5 and fewer multiply-adds.
FIGURES = {
    "plain18": (11_515_688, 1_794_805_760),
    "plain34": (21_623_848, 3_644_493_824),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnet50_v1": (25_557_032, 3_857_973_248),
    "resnet101_v1": (44_549_160, 7_570_194_432),
    "resnet152_v1": (60_192_808, 11_282_415_616),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name)
    assert (parameters(network), multiply_adds(network, 224)) == FIGURES[name]


# The plain networks have the figures of option A; C: one more projection at each block of the paper's Table 3.
@pytest.mark.parametrize(
    ("name", "shortcut", "figures"),
    [
        ("resnet18", "A", FIGURES["plain18"]),
        ("resnet34", "A", FIGURES["plain34"]),
        ("resnet18", "C", (12_043_816, None)),
        ("resnet34", "C", (22_716_840, None)),
    ],
)
def test_figures_of_shortcut_options(name, shortcut, figures):
    network = build_meta(name, shortcut=shortcut)
    assert parameters(network) == figures[0]
    if figures[1] is not None:
        assert multiply_adds(network, 224) == figures[1]


@pytest.mark.parametrize("name", FIGURES)
def test_stages_are_those_of_table_1(name):
    factor = 1 if name in ("plain18", "plain34", "resnet18", "resnet34") else 4
    names = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4", "fc"]
    widths_and_sides = [(64, 56), (128, 28), (256, 14), (512, 7)]
    stages = [(factor * width, side, side) for width, side in widths_and_sides]
    assert shapes(build_meta(name), 224, names) == [(64, 112, 112), (64, 56, 56), *stages, (1000,)]


@pytest.mark.parametrize("name", FIGURES)
def test_depth_is_the_number_of_weight_layers(name):
    digits = name.removeprefix("resnet").removeprefix("plain").removesuffix("_v1")
    layers = [
        key
        for key, module in build_meta(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in key
    ]
    assert len(layers) == int(digits)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])  # the others have more of the same blocks
def test_equals_torchvision(name):
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(num_classes=7)
    assert_same(build_meta(name, num_classes=7), reference)


@pytest.mark.parametrize("name", ["plain18", "plain34", "resnet18", "resnet50", "resnet50_v1"])
def test_gradients(name):
    assert_gradients(name)


@pytest.mark.parametrize(("name", "first", "second"), [("resnet50", (1, 1), (2, 2)), ("resnet50_v1", (2, 2), (1, 1))])
def test_stride_of_a_bottleneck(name, first, second):
    block = build_meta(name).layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == (first, second)


def test_option_a_subsamples_and_adds_zero_channels():
    shortcut = build("resnet18", shortcut="A").layer2[0].downsample
    x = torch.randn(2, 64, 9, 9)
    y = shortcut(x)
    assert y.shape == (2, 128, 5, 5)
    assert torch.equal(y[:, :64], x[:, :, ::2, ::2])
    assert not y[:, 64:].any()


def test_plain_network_is_a_chain_of_convolutions():
    torch.manual_seed(0)
    network = build("plain18", num_classes=3).eval()
    x = torch.randn(2, 3, 40, 40)
    y = network.maxpool(network.bn1(network.conv1(x)).relu())
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            y = block.bn1(block.conv1(y)).relu()
            y = block.bn2(block.conv2(y)).relu()
    torch.testing.assert_close(network(x), network.fc(y.mean((2, 3))))


def test_initialisation():
    torch.manual_seed(0)
    network = build("resnet18", num_classes=10)
    conv = network.layer4[1].conv2.weight
    assert conv.std().item() == pytest.approx(math.sqrt(2 / (9 * 512)), rel=0.01)
    assert network.fc.weight.abs().max().item() == pytest.approx(1 / math.sqrt(512), rel=0.01)
    assert not network.fc.bias.any()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)
    assert all((norm.eps, norm.momentum) == (1e-5, 0.1) for norm in norms)


@pytest.mark.parametrize("classes", [10, 1000])
def test_first_loss_is_about_that_of_a_guess(classes):
    torch.manual_seed(0)
    logits = build("resnet18", num_classes=classes)(torch.randn(16, 3, 64, 64))
    loss = nn.functional.cross_entropy(logits, torch.arange(16) % classes).item()
    assert loss == pytest.approx(math.log(classes), rel=0.15)


def test_options_reach_the_network():
    network = build("resnet18", num_classes=3, in_channels=1, dropout=0.4, stem="cifar").eval()
    assert network.dropout.p == 0.4
    assert network(torch.randn(2, 1, 28, 28)).shape == (2, 3)
    assert network.layer1(network.conv1(torch.randn(2, 1, 28, 28))).shape == (2, 64, 28, 28)


@pytest.mark.parametrize("shortcut", ["A", "B", "none"])
def test_autocast_and_channels_last(shortcut):
    torch.manual_seed(0)
    network = build("resnet18", num_classes=3, shortcut=shortcut).to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 64, 64).to(memory_format=torch.channels_last)
    seen = []
    network.layer2.register_forward_hook(lambda _, __, y: seen.append(y))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(x)
    assert logits.dtype == torch.bfloat16
    assert logits.isfinite().all()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", dict(shortcut="D"), "no shortcut 'D': choose one of A, B, C, none"),
        ("resnet50", dict(stride_in="5x5"), "no stride_in '5x5': choose one of 3x3, 1x1"),
        ("resnet18", dict(stem="tiny"), "no stem 'tiny': choose one of imagenet, cifar"),
        ("resnet18", dict(stride_in="1x1"), "basic blocks take no stride_in, groups or base_width"),
        ("resnet18", dict(groups=2), "basic blocks take no stride_in, groups or base_width"),
        ("resnet50", dict(groups=0), "no block of width 64 has 0 groups of base width 64"),
        ("resnet50", dict(base_width=0), "no block of width 64 has 1 groups of base width 0"),
        ("resnet18", dict(depths=(2, 2, 2)), r"cannot have depths \(2, 2, 2\): give 4 numbers of at least 1"),
        ("resnet18", dict(depths=(2, 0, 2, 2)), r"cannot have depths \(2, 0, 2, 2\)"),
        ("resnet18", dict(widen=0), "cannot be widened by 0"),
        ("resnet18", dict(shortcut="A", widen=0.5), "shortcut A only adds channels: it cannot lead 64 channels to 32"),
        ("resnet18", dict(dropout=1.5), "dropout probability"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_meta(name, **options)
