"""Receptive fields: the theoretical one holds the effective one, and the effective one is the gradient."""

import math

import numpy as np
import pytest
import torch
from small_networks import small_images, small_network
from torch import nn

from cnnbench.analysis.look.fields import Box, box_of, effective_field, effective_side, theoretical_field
from cnnbench.analysis.look.network import is_map, network_of

NETWORKS = ("lenet", "alexnet", "vgg11", "resnet20", "googlenet", "densenet121")
FULL = {"lenet": ("conv1", "conv2", "pool2"), "vgg11": ("conv1_1", "conv2_1", "pool2"), "resnet20": ("layer1.0",)}


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_outside_the_theoretical_field_acts_on_a_unit(name):
    network, images = small_network(name), small_images(name)
    maps = sorted({point for point in network.names.values() if is_map(point)}, key=lambda point: point.order)
    seen = 0
    for point in maps[:: max(1, len(maps) // 5)]:
        position = (point.shape[1] // 2, point.shape[2] // 3)
        field = effective_field(network.model, point, [images], position)
        rows, columns = box_of(theoretical_field(network.model, point, images), position).clipped(images.shape[3])
        inside = field[rows, columns]
        seen += int((inside > 0).sum())
        assert np.count_nonzero(field) == np.count_nonzero(inside)
    assert seen > 0


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in FULL.items() for layer in layers])
def test_where_every_weight_acts_both_fields_are_the_same(name, layer):
    network, images = small_network(name), small_images(name, 8)
    point = network.find(layer)
    position = (point.shape[1] // 2, point.shape[2] // 2 - 1)
    field = effective_field(network.model, point, [images[:4], images[4:]], position)
    rows, columns = box_of(theoretical_field(network.model, point, images[:1]), position).clipped(images.shape[3])
    found = [np.flatnonzero(field.any(axis)) for axis in (1, 0)]
    assert [(places[0], places[-1] + 1) for places in found] == [
        (rows.start, rows.stop),
        (columns.start, columns.stop),
    ]


def test_the_field_of_a_convolution_is_the_size_of_its_weights():
    model = nn.Sequential(nn.Conv2d(3, 2, 5, padding=2), nn.Flatten(), nn.Linear(2 * 9 * 9, 4))
    network, images = network_of("one", model, 9, 3), torch.randn(6, 3, 9, 9)
    field = effective_field(model, network.find("0"), [images[:2], images[2:]], (4, 5), unit=1)
    weight = model[0].weight[1].double().square().sum(0).sqrt().numpy()
    assert np.allclose(field[2:7, 3:8], weight / weight.max(), atol=1e-6)
    assert field.sum() == pytest.approx(field[2:7, 3:8].sum())
    middle = effective_field(model, network.find("0"), [images])
    both = model[0].weight.double().sum(0).square().sum(0).sqrt().numpy()
    assert np.allclose(middle[2:7, 2:7], both / both.max(), atol=1e-6)


def test_the_effective_side_of_a_bell_is_that_of_luo():
    places = np.arange(201) - 100
    sigma = 14.0
    bell = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * sigma**2))
    radius = sigma * math.sqrt(2 * math.log(1 / (1 - 0.9545)))  # where it falls to that share of its top
    assert effective_side(7 * bell) == pytest.approx(math.sqrt(math.pi) * radius, rel=0.004)
    assert effective_side(np.zeros((4, 4))) == 0


def test_a_unit_that_does_not_answer_has_no_field():
    model = nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    model[0].bias.data.fill_(-1e6)
    network = network_of("silent", model, 8, 3)
    assert not effective_field(model, network.find("1"), [torch.randn(2, 3, 8, 8)]).any()


def test_a_box_is_cut_to_the_image():
    assert Box(-3, 5, 10, 4).clipped(8) == (slice(0, 7), slice(5, 8))
    assert Box(1.5, 0, 3, 2).clipped(8) == (slice(1, 5), slice(0, 2))
