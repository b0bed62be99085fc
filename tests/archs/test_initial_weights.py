"""The start of the weights, as papers and released code state it: deviations, limits and biases, measured."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.archs import alexnet, googlenet, layers, vgg, zfnet
from cnnbench.archs.inception_blocks import truncated_normal, variance_scaling


def spread(fill, *shape: int) -> tuple[float, float]:
    """Standard deviation and largest absolute value of weights of that shape."""
    torch.manual_seed(0)
    weight = torch.empty(*shape)
    fill(weight)
    return weight.std().item(), weight.abs().max().item()


def test_random_starts_have_the_stated_spread():
    shape, fan_in, fan_out = (128, 64, 3, 3), 64 * 9, 128 * 9
    # He et al. 2015, over the fan-out as in fb.resnet.torch; the Inception papers' code over the fan-in.
    assert spread(layers.he_normal, *shape)[0] == pytest.approx((2 / fan_out) ** 0.5, rel=0.01)
    assert spread(variance_scaling, *shape)[0] == pytest.approx((2 / fan_in) ** 0.5, rel=0.01)
    deviation, largest = spread(layers.fan_in_uniform, *shape)
    assert (deviation, largest) == pytest.approx(((1 / 3 / fan_in) ** 0.5, fan_in**-0.5), rel=0.01)
    # TensorFlow's: drawn again beyond two deviations, which leaves 0.88 of the spread.
    deviation, largest = spread(lambda weight: truncated_normal(weight, 0.1), *shape)
    assert (deviation, largest) == pytest.approx((0.088, 0.2), rel=0.01)
    assert spread(vgg.INITIALISATIONS["paper"], *shape)[0] == pytest.approx(0.1, rel=0.01)  # variance 1e-2


def test_alexnets_biases_and_deviation():
    """Section 5: N(0, 0.01^2); biases 1 in the second, fourth and fifth convolution and the hidden layers, else 0."""
    torch.manual_seed(0)
    network = alexnet.AlexNet(10, image_size=alexnet.SMALLEST_IMAGE)
    weighted = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [layer.bias.unique().tolist() for layer in weighted] == [[0], [1], [0], [1], [1], [1], [1], [0]]
    assert all(layer.weight.std().item() == pytest.approx(0.01, rel=0.03) for layer in weighted)


def test_zfnets_start():
    """Section 3: weights 10^-2, biases 0."""
    torch.manual_seed(0)
    network = zfnet.ZFNet(10, image_size=zfnet.SMALLEST_IMAGE)
    weighted = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert all(layer.bias.count_nonzero() == 0 for layer in weighted)
    assert all(layer.weight.std().item() == pytest.approx(0.01, rel=0.03) for layer in weighted)


def test_googlenets_biases():
    """Caffe's network: 0.2, and 0 in the classifiers."""
    network = googlenet.GoogLeNet(10)
    biases = {name: p.unique().tolist() for name, p in network.named_parameters() if name.endswith("bias")}
    classifiers = {"fc.bias", "aux1.fc2.bias", "aux2.fc2.bias"}
    assert {name for name, values in biases.items() if values == [0.0]} == classifiers
    assert all(values == [pytest.approx(0.2)] for name, values in biases.items() if name not in classifiers)
