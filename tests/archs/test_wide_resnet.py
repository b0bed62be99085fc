"""Wide ResNet: the forms for ImageNet against counted figures and torchvision, those for CIFAR against the formula."""

from __future__ import annotations

import pytest
import torch
import torchvision
from checks import assert_gradients, assert_same, build_meta, multiply_adds, parameters, shapes
from meta import on_meta

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

# Parameters and multiply-adds at 224x224 with 1000 classes; the paper prints 25.9, 45.6, 101.8, 48.6, 86.0 and 68.9
# million.
FIGURES = {
    "wide_resnet18_1p5": (25_875_816, 3_866_327_040),
    "wide_resnet18_2": (45_618_216, 6_695_706_624),
    "wide_resnet18_3": (101_783_976, 14_724_378_624),
    "wide_resnet34_1p5": (48_613_608, 8_028_125_184),
    "wide_resnet34_2": (86_036_008, 14_094_458_880),
    "wide_resnet50_2": (68_883_240, 11_398_021_120),
    "wide_resnet101_2": (126_886_696, 22_753_050_624),
}

# WRN-n-k for 10 classes, by hand; N blocks per stage, w = 16k, 32k, 64k; i is the input of a stage.
#   stage   9 i w + 9 w w + i w (projection) + (N - 1) 18 w w; its normalisation 2 (i + w) + (N - 1) 4 w
#   in all  432 (stem) + convolutions of the three stages + normalisations, 2 * 64k at the end included + classifier
CIFAR_PARAMETERS = {
    "wrn16_4": 432 + (120_832 + 524_288 + 2_097_152) + 3_616 + 2_570,  # 2,748,890; the paper: 2.7 million
    "wrn28_10": 432 + (1_638_400 + 6_963_200 + 27_852_800) + 17_952 + 6_410,  # 36,479,194; the paper: 36.5 million
    # as many of the paper, and of Table 4: 0.6, 2.2, 8.9 and 35.7 million
    "wrn40_1": 563_930,
    "wrn40_2": 2_243_546,
    "wrn40_4": 8_949_210,
    "wrn40_8": 35_748_314,
}

# The paper's Table 2, k = 2: kernels of a block, depth, parameters in millions.
BLOCKS = [
    ([1, 3, 1], 40, 1.4),
    ([3, 1], 40, 1.2),
    ([1, 3], 40, 1.3),
    ([3, 1, 1], 40, 1.3),
    ([3, 3], 28, 1.5),
    ([3, 1, 3], 22, 1.1),
]


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name)
    assert (parameters(network), multiply_adds(network, 224)) == FIGURES[name]


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("wide_resnet18_1p5", (96, 192, 384, 768)),
        ("wide_resnet18_2", (128, 256, 512, 1024)),
        ("wide_resnet18_3", (192, 384, 768, 1536)),
        ("wide_resnet34_1p5", (96, 192, 384, 768)),
        ("wide_resnet34_2", (128, 256, 512, 1024)),
        ("wide_resnet50_2", (256, 512, 1024, 2048)),
        ("wide_resnet101_2", (256, 512, 1024, 2048)),
    ],
)
def test_stages(name, widths):
    stages = [(width, side, side) for width, side in zip(widths, (56, 28, 14, 7), strict=True)]
    names = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    assert shapes(build_meta(name), 224, names) == [(64, 112, 112), (64, 56, 56), *stages]


@pytest.mark.parametrize("name", ["wide_resnet50_2", "wide_resnet101_2"])
def test_only_the_inner_convolution_of_a_bottleneck_is_wide(name):
    network = build_meta(name)
    inner = [stage[0].conv2.out_channels for stage in (network.layer1, network.layer2, network.layer3, network.layer4)]
    assert inner == [128, 256, 512, 1024]


@pytest.mark.parametrize("name", ["wide_resnet50_2"])  # wide_resnet101_2 has more of the same blocks
def test_equals_torchvision(name):
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(num_classes=7)
    assert_same(build_meta(name, num_classes=7), reference)


@pytest.mark.parametrize("name", CIFAR_PARAMETERS)
def test_parameters_for_cifar(name):
    assert parameters(build_meta(name, num_classes=10)) == CIFAR_PARAMETERS[name]


@pytest.mark.parametrize(("kernels", "depth", "millions"), BLOCKS)
def test_the_blocks_of_table_2(kernels, depth, millions):
    n = (depth - 4) // 6
    network = build_meta("wrn40_2", num_classes=10, kernels=kernels, depths=(n, n, n))
    assert round(parameters(network) / 1e6, 1) == millions
    unit = network.layer2[0]
    convs = [getattr(unit, f"conv{i + 1}") for i in range(len(kernels))]
    assert [conv.kernel_size[0] for conv in convs] == kernels
    assert [conv.out_channels for conv in convs] == [64] * len(kernels)
    assert [conv.stride[0] for conv in convs] == [2] + [1] * (len(kernels) - 1)  # models/wide-resnet.lua:43
    assert on_meta(network, 32).shape == (1, 10)


def test_a_unit_of_other_kernels_is_bn_relu_conv_in_that_order():
    torch.manual_seed(0)
    unit = build("wrn40_1", num_classes=10, kernels=[3, 1, 3], depths=(2, 2, 2)).eval().layer1[1]
    x = torch.randn(2, 16, 6, 6)
    y = x
    for i, kernel in enumerate((3, 1, 3), start=1):
        y = torch.relu(getattr(unit, f"bn{i}")(y))
        y = torch.nn.functional.conv2d(y, getattr(unit, f"conv{i}").weight, padding=kernel // 2)
    torch.testing.assert_close(unit(x), x + y)


@pytest.mark.parametrize(("name", "k"), [("wrn16_4", 4), ("wrn28_10", 10), *((f"wrn40_{k}", k) for k in (1, 2, 4, 8))])
def test_stages_for_cifar(name, k):
    names = ["conv1", "layer1", "layer2", "layer3", "fc"]
    stages = [(16 * k, 32, 32), (32 * k, 16, 16), (64 * k, 8, 8)]
    assert shapes(build_meta(name, num_classes=10), 32, names) == [(16, 32, 32), *stages, (10,)]


@pytest.mark.parametrize("name", ["wide_resnet18_2", "wide_resnet50_2", "wrn16_4", "wrn40_1"])
def test_gradients(name):
    assert_gradients(name)


def test_block_dropout_stands_before_the_second_convolution():
    torch.manual_seed(0)
    network = build("wrn16_4", num_classes=3, block_dropout=0.3)
    block = network.layer1[0]
    torch.nn.init.constant_(block.bn2.bias, 10.0)  # keeps every value positive through the ReLU
    seen = []
    block.conv2.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.randn(2, 3, 32, 32)
    network(x)
    network.eval()(x)
    dropped = [(values == 0).float().mean().item() for values in seen]
    assert dropped == [pytest.approx(0.3, abs=0.01), 0.0]
