"""ResNet and plain networks for CIFAR: He et al., section 4.2."""

from __future__ import annotations

import pytest
from checks import assert_gradients, build_meta, multiply_adds, parameters, shapes

pytestmark = pytest.mark.slow

BLOCKS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}
NAMES = [*(f"resnet{depth}" for depth in BLOCKS), *(f"plain{depth}" for depth in (20, 32, 44, 56))]

# With 10 classes. Parameters by hand, for n blocks per stage (paper, Table 6: 0.27, 0.46, 0.66, 0.85, 1.7 million):
#   convolutions   conv1 9 * 3 * 16 = 432; a stage of w channels 9 w w (2 n), less 9 w w / 2 at its first convolution,
#                  whose input has w / 2 channels:      w = 16: 4608 n;  32: 18432 n - 4608;  64: 73728 n - 18432
#   normalisation  2 * 16 = 32 after conv1, and 2 w (2 n) in each stage: 4 (16 + 32 + 64) n = 448 n
#   classifier     64 * 10 + 10 = 650
#   in all         432 + 32 + 650 - 23040 + (96768 + 448) n = 97216 n - 21926
# Multiply-adds by hand: a map has 1024, 256 and 64 pixels in the three stages:
#   442368 + 1024 * 4608 n + 256 (18432 n - 4608) + 64 (73728 n - 18432) + 640 = 14155776 n - 1916288
FIGURES = {
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
}


@pytest.mark.parametrize(("depth", "n"), BLOCKS.items())
def test_figures_follow_the_formula(depth, n):
    assert FIGURES[depth] == (97_216 * n - 21_926, 14_155_776 * n - 1_916_288)


@pytest.mark.parametrize("name", NAMES)
def test_figures(name):
    network = build_meta(name, num_classes=10)
    depth = int(name.removeprefix("resnet").removeprefix("plain"))
    assert (parameters(network), multiply_adds(network, 32)) == FIGURES[depth]


@pytest.mark.parametrize("name", NAMES)
def test_stages(name):
    names = ["conv1", "layer1", "layer2", "layer3", "fc"]
    expected = [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8), (10,)]
    assert shapes(build_meta(name, num_classes=10), 32, names) == expected


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    assert_gradients(name)
