"""Dead units, sparsity, and the images that a unit answers to most."""

import numpy as np
import pytest
import torch
from small_networks import small_images, small_network
from torch import nn

from cnnbench.analysis.look.network import logits_and_values, network_of
from cnnbench.analysis.look.units import ActivityCount, layers_in_a_row, named_layers, survey


def counted(*batches):
    count = ActivityCount()
    for values in batches:
        count.add(torch.tensor(values, dtype=torch.float32))
    return count.result("layer")


def test_a_unit_is_dead_that_gives_the_same_at_every_place_of_every_image():
    found = counted([[[[0, 0]], [[1, 1]], [[0, 2]]]], [[[[0, 0]], [[1, 1]], [[0, 0]]]])
    assert (found.units, found.dead) == (3, 2)
    assert counted([[[[0, 0]], [[1, 1]]]], [[[[0, 0.5]], [[1, 1]]]]).dead == 1


def test_shares_are_of_the_largest_of_each_image():
    found = counted([[100.0, -0.99, 1.01, 0.0, -94.9, 95.1]], [[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    assert found.zero == pytest.approx(2 / 12)
    assert found.near_zero == pytest.approx(3 / 12)
    assert found.saturated == pytest.approx(7 / 12)


def test_each_call_of_an_activation_is_a_layer_where_layers_have_no_names_of_papers():
    network = small_network("resnet20")
    found = survey(network, network.last_map, [([0, 1], small_images("resnet20", 2))]).activity
    assert [each.layer for each in found[:4]] == ["relu", "layer1.0.relu", "layer1.0.relu (2)", "layer1.1.relu"]
    assert len(found) == 19
    assert all(0.2 < each.zero < 0.9 for each in found)


@torch.no_grad()
def test_layers_in_a_row_are_counted_by_name_after_their_activation():
    network, images = small_network("alexnet"), small_images("alexnet", 3)
    assert list(named_layers(network)) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    point, batches = network.find("pool1"), [([0, 1], images[:2]), ([2], images[2:])]
    found = {each.layer: each for each in survey(network, point, batches).activity}
    for name in ("conv3", "fc6"):
        _, values = logits_and_values(network, images, network.find(name))
        flat = values.transpose(0, 1).flatten(1)
        assert found[name].zero == pytest.approx((values == 0).float().mean().item(), abs=1e-6)
        assert found[name].dead == int((flat == flat[:, :1]).all(1).sum())
    assert named_layers(small_network("densenet121")) == {}
    assert list(named_layers(small_network("lenet"))) == ["conv1", "conv2", "fc3", "fc4"]
    assert list(layers_in_a_row(small_network("lenet"))) == ["conv1", "conv2", "fc3", "fc4", "fc5"]


@torch.no_grad()
def test_the_strongest_images_are_those_of_a_sort():
    network, images = small_network("vgg11"), small_images("vgg11", 12)
    point, numbers = network.find("conv2_1"), [7, 3, 11, 30, 2, 5, 60, 61, 1, 9, 8, 12]
    found = survey(network, point, [(numbers[:5], images[:5]), (numbers[5:], images[5:])]).strongest
    _, values = logits_and_values(network, images, point)
    assert found.values.shape == (128, 9)
    for unit in (0, 100):
        largest = sorted(((values[i, unit].max().item(), -i) for i in range(len(images))), reverse=True)
        assert found.images[unit].tolist() == [numbers[-i] for _, i in largest[:9]]
        for rank, (value, i) in enumerate(largest[:9]):
            assert found.values[unit, rank] == pytest.approx(value)
            assert values[-i, unit, found.rows[unit, rank], found.columns[unit, rank]].item() == pytest.approx(value)


def test_of_equals_the_first_comes_first_and_units_without_maps_have_place_zero():
    network = network_of("flat", nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU()), 2, 1)
    found = survey(network, network.find("2"), [([4, 2, 9], torch.ones(3, 1, 2, 2))]).strongest
    assert np.array_equal(found.images, np.tile([4, 2, 9], (3, 1)))
    assert not found.rows.any()
    assert not found.columns.any()
