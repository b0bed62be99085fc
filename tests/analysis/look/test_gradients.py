"""The norm of the gradient in each layer, against a training step's own."""

import copy

import pytest
import torch
from small_networks import small_images, small_network
from torch import nn

from cnnbench.analysis.look.gradients import gradient_norms


@pytest.mark.parametrize("name", ["resnet20", "alexnet", "googlenet"])
def test_the_norms_are_those_of_a_step_of_training(name):
    model, images, labels = small_network(name).model, small_images(name, 4), torch.tensor([1, 0, 9, 3])
    other = copy.deepcopy(model).requires_grad_(True).train()
    for layer in other.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    logits = other(images)
    nn.functional.cross_entropy(logits[0] if isinstance(logits, tuple) else logits, labels).backward()
    expected = {
        name: (layer.weight.grad.norm().item(), layer.weight.norm().item())
        for name, layer in other.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.grad is not None
    }
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = gradient_norms(model, images, labels)
    assert [each.layer for each in found] == list(expected)
    for each in found:
        assert (each.gradient, each.weights) == pytest.approx(expected[each.layer], rel=2e-3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert not any(weight.requires_grad for weight in model.parameters())


def test_a_single_image_takes_the_running_statistics():
    model = small_network("resnet20").model
    found = gradient_norms(model, small_images("resnet20"), torch.tensor([2]))
    other = copy.deepcopy(model).requires_grad_(True)
    nn.functional.cross_entropy(other(small_images("resnet20")), torch.tensor([2])).backward()
    assert found[0].gradient == pytest.approx(other.conv1.weight.grad.norm().item(), rel=1e-3)
