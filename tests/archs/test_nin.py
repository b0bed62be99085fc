"""Network in Network: counts by hand, the map of each stage, and the ReLU on the classes' maps before their average."""

from __future__ import annotations

import pytest
import torch
from checks import assert_trains, build_meta, multiply_adds, parameters, shapes
from meta import on_meta
from torch import nn

from cnnbench.archs.registry import build

# Of each convolution its weights and biases, in order.
ILSVRC = [
    *(3 * 121 * 96 + 96, 96 * 96 + 96, 96 * 96 + 96),
    *(96 * 25 * 256 + 256, 256 * 256 + 256, 256 * 256 + 256),
    *(256 * 9 * 384 + 384, 384 * 384 + 384, 384 * 384 + 384),
    *(384 * 9 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 1000 + 1000),
]
CIFAR = [
    *(3 * 25 * 192 + 192, 192 * 160 + 160, 160 * 96 + 96),
    *(96 * 25 * 192 + 192, 192 * 192 + 192, 192 * 192 + 192),
    *(192 * 9 * 192 + 192, 192 * 192 + 192, 192 * 10 + 10),
]


@pytest.mark.parametrize(
    ("name", "classes", "size", "parts", "sides"),
    [("nin", 1000, 224, ILSVRC, (54, 27, 13, 6)), ("cifar_nin", 10, 32, CIFAR, (32, 16, 8))],
)
def test_figures_and_sides(name, classes, size, parts, sides):
    network = build_meta(name, num_classes=classes)
    assert parameters(network) == sum(parts)
    biases = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    areas = [side * side for side in sides for _ in range(3)]
    weights = [part - bias for part, bias in zip(parts, biases, strict=True)]
    macs = sum(weight * area for weight, area in zip(weights, areas, strict=True))
    assert multiply_adds(network, size) == macs
    convs = [key for key, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    assert [shape[1] for shape in shapes(network, size, convs)] == [side for side in sides for _ in range(3)]


def test_the_caffe_file_of_29_mb_holds_these_parameters():
    assert round(4 * parameters(build_meta("nin")) / 2**20) == 29


@pytest.mark.parametrize(("name", "smallest"), [("nin", 39), ("cifar_nin", 4)])
def test_smallest_images(name, smallest):
    assert on_meta(build_meta(name, 4), smallest).shape == (1, 4)
    with pytest.raises(RuntimeError, match="too small"):
        on_meta(build_meta(name, 4), smallest - 1)


def test_a_logit_is_the_mean_of_a_map_after_its_relu():
    torch.manual_seed(0)
    network = build("cifar_nin", num_classes=5).eval()
    images = torch.randn(2, 3, 32, 32)
    maps = network.classifier(network.features(images))
    assert maps.shape == (2, 5, 8, 8)
    assert (maps < 0).any()
    torch.testing.assert_close(network(images), maps.clamp(min=0).mean((2, 3)))


@pytest.mark.parametrize(("name", "size"), [("nin", 64), ("cifar_nin", 32)])
def test_gradients(name, size):
    torch.manual_seed(0)
    network = build(name, num_classes=5)
    nn.init.constant_(network.classifier.bias, 1.0)  # or the last ReLU may let a class through nowhere
    assert_trains(network, size)


def test_the_start_is_that_of_the_prototxt():
    """gaussian fillers of nin_imagenet/train_val.prototxt; initW=0.05 of cifar-10_def; biases 0."""
    torch.manual_seed(0)
    expected = [0.01, 0.05, 0.05, 0.05, 0.05, 0.05, 0.01, 0.05, 0.05, 0.05, 0.05, 0.01]
    for name, deviations in (("nin", expected), ("cifar_nin", [0.05] * 9)):
        convs = [m for m in build(name, 100).modules() if isinstance(m, nn.Conv2d)]
        assert [conv.weight.std().item() for conv in convs] == pytest.approx(deviations, rel=0.03)
        assert not any(conv.bias.any() for conv in convs)
