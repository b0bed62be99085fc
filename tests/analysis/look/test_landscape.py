"""Filter-normalised directions, and the loss along them, against weights moved by hand."""

import copy

import numpy as np
import pytest
import torch
from small_networks import small_images, small_network
from torch.nn import functional

from cnnbench.analysis.look.landscape import loss_surface, random_direction


def test_each_filter_moves_by_its_own_length_and_normalisation_stays():
    model = small_network("resnet20").model
    direction = random_direction(model, 3)
    assert set(direction) == {name for name, weight in model.named_parameters() if weight.dim() > 1}
    for name, step in direction.items():
        weight = model.get_parameter(name)
        for row in range(len(weight)):
            assert step[row].norm().item() == pytest.approx(weight[row].norm().item(), rel=1e-4)
    again, other = random_direction(model, 3), random_direction(model, 4)
    assert all(torch.equal(step, again[name]) for name, step in direction.items())
    step, different = direction["conv1.weight"].flatten(), other["conv1.weight"].flatten()
    assert abs(functional.cosine_similarity(step, different, dim=0).item()) < 0.2


@torch.no_grad()
def test_the_surface_is_the_loss_of_moved_weights():
    model, images, labels = small_network("lenet").model, small_images("lenet", 5), torch.tensor([1, 0, 9, 3, 3])
    first, second = random_direction(model, 0), random_direction(model, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batches = [(images[:4], labels[:4]), (images[4:], labels[4:])]
    found = loss_surface(model, batches, (first, second), reach=0.5, points=3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    expected = np.empty((3, 3))
    for row, along_second in enumerate((-0.5, 0, 0.5)):
        for column, along_first in enumerate((-0.5, 0, 0.5)):
            moved = copy.deepcopy(model)
            for name in first:
                weight = moved.get_parameter(name)
                weight += along_first * first[name] + along_second * second[name]
            expected[row, column] = functional.cross_entropy(moved(images), labels)
    assert np.allclose(found, expected, rtol=1e-5)
    assert len(set(found.ravel().round(5))) == 9
