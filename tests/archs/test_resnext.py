"""ResNeXt: counted figures, torchvision, and the equality of the block's three forms."""

from __future__ import annotations

import pytest
import torch
import torchvision
from checks import assert_gradients, assert_same, build_meta, multiply_adds, parameters, shapes

from cnnbench.archs.resnet import Bottleneck
from cnnbench.archs.resnext_forms import EarlyConcatenation, SumOfBranches, resnext_equivalence

pytestmark = pytest.mark.slow

# Parameters and multiply-adds at 224x224 with 1000 classes.
FIGURES = {
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnext101_32x4d": (44_177_704, 7_969_996_800),
    "resnext101_64x4d": (83_455_272, 15_460_270_080),
    "resnext101_32x8d": (88_791_336, 16_414_015_488),
}

# Table 3 of the paper: cardinality C against width d at equal cost; parameters and multiply-adds with 50 layers.
SERIES = {
    (1, 64): (25_557_032, 4_089_184_256),
    (2, 40): (25_425_000, 4_124_508_160),
    (4, 24): (25_292_968, 4_159_832_064),
    (8, 14): (25_603_016, 4_267_409_408),
    (32, 4): (25_028_904, 4_230_479_872),
}

# resnext29_8x64d_post with 10 classes by hand; D = 512, 1024, 2048 inner, o = 256, 512, 1024 outer channels, i input.
#   block   i D + 9 D D / 8 + D o, the first one i o more for its projection
#   stages  1589248, 6553600, 26214400; stem 9 * 3 * 64 = 1728
#   normalisation 2 * (64 + 3 (2 * 512 + 256) + 256 + 3 (2 * 1024 + 512) + 512 + 3 (2 * 2048 + 1024) + 1024) = 57472
#   classifier 10250
RESNEXT29_PARAMETERS = (
    1_589_248 + 6_553_600 + 26_214_400 + 1_728 + 57_472 + 10_250
)  # 34,426,698; the paper: 34.4 million
# Pre-activated: projections have no normalisation, less 2 * (256 + 512 + 1024); a unit normalises what enters it, not
# what leaves it, which shifts them by one unit, so that the stem's comes first and the head's last: 2 * (64 - 64).
PREACTIVATED_PARAMETERS = RESNEXT29_PARAMETERS - 2 * (256 + 512 + 1024)  # 34,423,114


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name)
    assert (parameters(network), multiply_adds(network, 224)) == FIGURES[name]


@pytest.mark.parametrize(("cardinality", "width"), SERIES)
def test_figures_of_the_cardinality_series(cardinality, width):
    network = build_meta("resnext50_32x4d", groups=cardinality, base_width=width)
    assert (parameters(network), multiply_adds(network, 224)) == SERIES[cardinality, width]


def test_parameters_of_resnext29():
    assert parameters(build_meta("resnext29_8x64d_post", num_classes=10)) == RESNEXT29_PARAMETERS == 34_426_698
    assert parameters(build_meta("resnext29_8x64d", num_classes=10)) == PREACTIVATED_PARAMETERS == 34_423_114


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("resnext50_32x4d", (128, 256, 512, 1024)),
        ("resnext101_32x4d", (128, 256, 512, 1024)),
        ("resnext101_64x4d", (256, 512, 1024, 2048)),
        ("resnext101_32x8d", (256, 512, 1024, 2048)),
    ],
)
def test_stages_are_those_of_table_1(name, inner):
    names = [f"layer{i}{part}" for i in (1, 2, 3, 4) for part in (".0.conv2", "")]
    sides, outer = (56, 28, 14, 7), (256, 512, 1024, 2048)
    expected = []
    for width, out, side in zip(inner, outer, sides, strict=True):
        expected += [(width, side, side), (out, side, side)]
    assert shapes(build_meta(name), 224, names) == expected


@pytest.mark.parametrize("name", ["resnext29_8x64d", "resnext29_8x64d_post"])
def test_stages_of_resnext29(name):
    names = ["conv1", "layer1.2.conv2", "layer1", "layer2.2.conv2", "layer2", "layer3.2.conv2", "layer3"]
    expected = [(64, 32, 32), (512, 32, 32), (256, 32, 32), (1024, 16, 16), (512, 16, 16), (2048, 8, 8), (1024, 8, 8)]
    network = build_meta(name, num_classes=10)
    assert shapes(network, 32, names) == expected
    assert {block.conv2.groups for stage in (network.layer1, network.layer2, network.layer3) for block in stage} == {8}


@pytest.mark.parametrize("name", ["resnext50_32x4d"])  # the others have more of the same blocks
def test_equals_torchvision(name):
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(num_classes=7)
    assert_same(build_meta(name, num_classes=7), reference)


@pytest.mark.parametrize("name", ["resnext50_32x4d", "resnext29_8x64d", "resnext29_8x64d_post"])
def test_gradients(name):
    assert_gradients(name)


def test_three_forms_are_equal():
    before = torch.random.get_rng_state()
    differences = resnext_equivalence()
    assert set(differences) == {"sum of branches", "early concatenation"}
    assert max(differences.values()) < 1e-12
    assert differences == resnext_equivalence()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("form", [SumOfBranches, EarlyConcatenation])
def test_forms_share_weights_with_the_grouped_block(form):
    torch.manual_seed(0)
    block = Bottleneck(256, 64, 1, groups=32, base_width=4)
    other = form(block)
    assert parameters(other) == parameters(block) == 70_144 + 2 * (128 + 128 + 256)  # section 3.3, and normalisation
    x = torch.randn(2, 256, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(other(x), block(x), rtol=1e-5, atol=1e-5)
        block.conv2.weight[77] *= -1.0  # one channel of one branch
        block.bn1.bias[3] += 1.0
        torch.testing.assert_close(other(x), block(x), rtol=1e-5, atol=1e-5)
