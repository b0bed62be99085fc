"""The start of the weights, as papers and released code state it: deviations, limits and biases, measured."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.archs import alexnet, googlenet, layers, vgg, zfnet
from cnnbench.archs.inception_blocks import truncated_normal, variance_scaling
from cnnbench.archs.registry import build


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


def test_the_start_of_the_inception_networks_is_that_of_their_code():
    """torchvision's and slim's: deviation 0.1, in the auxiliary head 0.01 and 0.001. BN-Inception as in slim: He over
    the fan-in, but 0.09 (0.1 after a pooling) for the reductions and 0.1 in the second convolution, cut at two."""
    torch.manual_seed(0)
    network = build("inception_v3", 100)
    found = [network.Mixed_5b.branch1x1.conv, network.fc, network.AuxLogits.conv1.conv, network.AuxLogits.fc]
    expected = [0.1, 0.1, 0.01, 0.001]
    assert [layer.weight.std().item() for layer in found] == pytest.approx(expected, rel=0.03)
    network = build("bn_inception", 100)
    module = network.inception.get_submodule("4b")
    reduction, projection = module.branch2[0].conv.weight, module.branch4[1].conv.weight
    for weight, deviation in ((network.conv2.conv.weight, 0.1), (reduction, 0.09), (projection, 0.1)):
        assert weight.std().item() == pytest.approx(0.88 * deviation, rel=0.03)
        assert weight.abs().max().item() <= 2 * deviation
    after = module.branch2[1].conv.weight
    assert after.std().item() == pytest.approx((2 / after[0].numel()) ** 0.5, rel=0.03)


def deviations(network: nn.Module, kind: type[nn.Module]) -> list[float]:
    """Of the weights of each layer of that kind, in units of He's over the fan-in."""
    layers = [m for m in network.modules() if isinstance(m, kind)]
    return [layer.weight.std().item() / (2 / layer.weight[0].numel()) ** 0.5 for layer in layers]


@pytest.mark.parametrize(
    ("name", "options", "over_fan_in"),
    [
        ("wrn16_4", {}, True),  # wide-residual-networks, models/utils.lua:5
        ("wide_resnet18_2", {}, True),  # pretrained/wide-resnet.lua:162
        ("resnet18", {}, False),  # fb.resnet.torch, models/resnet.lua:169
        ("preact_resnet18", {}, False),  # models/preresnet.lua:199
        ("preact_resnet164", {"depths": (2, 2, 2)}, False),  # resnet-1k-layers, resnet-pre-act.lua:129
    ],
)
def test_a_residual_network_starts_over_the_fan_its_authors_code_takes(name, options, over_fan_in):
    torch.manual_seed(0)
    network = build(name, 100, **options)
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    share = [1.0 if over_fan_in else (conv.in_channels / conv.out_channels) ** 0.5 for conv in convs]
    assert deviations(network, nn.Conv2d) == pytest.approx(share, rel=0.1)  # of 256 numbers and more
    assert deviations(network, nn.Linear) == pytest.approx([6**-0.5], rel=0.05)  # Torch's linear layer
    assert not network.fc.bias.any()
    scales = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    if name == "wrn16_4":  # Torch's start, uniform in [0, 1), which its code leaves
        assert (scales.mean().item(), scales.std().item()) == pytest.approx((1 / 2, 12**-0.5), rel=0.05)
        assert 0 <= scales.min() < 0.01 < 0.99 < scales.max() < 1
    else:
        assert (scales == 1).all()
