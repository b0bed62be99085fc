"""What all networks share, by timm's names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.archs.layer_names import layer_names
from cnnbench.archs.registry import build

SIZES = {"lenet": 32, "vgg11": 32, "cifar_nin": 32, "resnet20": 32, "densenet_bc100_12": 32, "googlenet": 80}


@pytest.mark.parametrize("key", SIZES)
def test_a_new_classifier_has_the_old_ones_place(key):
    network = build(key, 10, **({"image_size": SIZES[key]} if key in ("lenet", "vgg11", "googlenet") else {}))
    names = layer_names(network, SIZES[key])
    read = names["pre_logits"].shape[0]
    assert (network.num_classes, network.num_features) == (10, read)
    old, images = network.get_classifier(), torch.rand(2, 3, SIZES[key], SIZES[key])
    network.eval().reset_classifier(4)
    new = network.get_classifier()
    assert type(new) is type(old)
    assert (network.num_classes, network.num_features, new.training) == (4, read, False)
    with torch.no_grad():
        assert network(images).shape == (2, 4)
        outputs = network.train()(images)
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    assert {head.shape for head in heads if isinstance(head, torch.Tensor)} == {(2, 4)}


def test_a_new_classifier_is_of_the_type_of_the_old_one():
    network = build("resnet20", 10).double()
    network.reset_classifier(3)
    assert isinstance(network.fc, nn.Linear)
    assert network.fc.weight.dtype == torch.float64
