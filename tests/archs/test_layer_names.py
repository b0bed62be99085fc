"""Names of layers, on the meta device: no weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.archs.facts import facts
from cnnbench.archs.layer_names import find_layer, layer_names
from cnnbench.archs.registry import build, kind_of, names
from cnnbench.runtime.errors import UserError


def names_of(key: str, size: int | None = None, **options):
    with torch.device("meta"):
        network = build(key, 10, **options)
    return network, layer_names(network, size or facts(key)["input"]["size"])


# Caffe's bvlc_alexnet, VGG_ILSVRC_16_layers and nin_imagenet; torchvision's and slim's names; the papers' tables.
KNOWN = {
    "alexnet": {"conv1": "features.1", "norm1": "features.2", "conv5": "features.13", "pool5": "features.14"}
    | {"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6"},
    "alexnet_tv": {"conv1": "features.1", "pool5": "features.12", "fc7": "classifier.5"},
    "zfnet": {"conv1": "features.1", "pool1": "features.2", "norm1": "features.3", "fc7": "classifier.4"},
    "vgg16": {"conv1_1": "features.1", "conv4_3": "features.22", "pool5": "features.30", "fc7": "classifier.4"},
    "vgg16_bn": {"conv1_1": "features.2", "conv4_3": "features.32", "pool5": "features.43", "fc6": "classifier.1"},
    "nin": {"conv1": "features.1", "cccp1": "features.3", "pool2": "features.13", "cccp8": "last_relu"},
    "lenet": {"conv1": "s2", "pool1": "s2", "pool2": "s4", "fc3": "f6", "fc4": "dropout", "fc5": "output"},
    "resnet50": {"layer3.5": "layer3.5", "conv4_x": "layer3", "feature_map": "layer4", "avgpool": "fc"},
    "googlenet": {"inception4e": "inception4e", "pool2": "maxpool2", "feature_map": "inception5b"},
    "inception_v3": {"mixed_6e": "Mixed_6e", "Mixed_6e": "Mixed_6e", "mixed_6e.branch_pool": "Mixed_6e.branch_pool"},
    "inception_v4": {"mixed_6e": "features.14", "mixed_7d": "features.21", "feature_map": "features"},
    "densenet121": {
        "denseblock3": "features.denseblock3",
        "transition2": "features.transition2",
        "avgpool": "classifier",
    },
    "xception": {"block5": "block5", "feature_map": "relu"},
}


@pytest.mark.parametrize("key", KNOWN)
def test_names_that_people_use(key: str) -> None:
    _, found = names_of(key)
    assert {name: found[name].path for name in KNOWN[key]} == KNOWN[key]


@pytest.mark.slow
@pytest.mark.parametrize("key", {kind_of(key): key for key in reversed(names())}.values())
def test_every_class(key: str) -> None:
    network, found = names_of(key)
    orders = [point.order for point in found.values()]
    assert orders == sorted(orders)
    paths = dict(network.named_modules())
    assert {point.path for point in found.values()} <= set(paths)
    assert found["logits"].path == ""
    assert found["logits"].shape == (10,)
    assert found["pre_logits"].path == network.CLASSIFIER
    assert len(found["feature_map"].shape) == 3
    assert found["feature_map"].order < found["pre_logits"].order
    weighed = [path for path, layer in paths.items() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [path for path in weighed if path not in found and "aux" not in path.lower()] == []


def test_switches_of_lenet() -> None:
    _, found = names_of("lenet", in_channels=1, trainable_pooling=True, sparse_c3=True)
    assert found["conv2"].shape == (16, 10, 10)
    assert found["pool2"].path == "s4"


def test_an_activation_that_is_a_function_is_what_the_next_layer_reads() -> None:
    _, found = names_of("lenet")
    assert found["conv1"].side == "input"
    assert found["c1"].side == "output"
    assert found["conv1"].shape == found["c1"].shape == (6, 28, 28)


def test_a_layer_by_another_spelling() -> None:
    _, found = names_of("googlenet", 64)
    assert find_layer(found, "Inception_4e").path == "inception4e"
    assert find_layer(found, "inception4e.branch1").path == "inception4e.branch1"


@pytest.mark.parametrize(
    ("key", "name", "here"),
    [
        ("vgg16", "relu5_3", "conv5_3"),
        ("vgg16", "relu7", "fc7"),
        ("vgg16", "block4_conv2", "conv4_2"),
        ("vgg16", "block5_pool", "pool5"),
        ("alexnet", "pool5", "pool5"),
        ("resnet18", "pool5", "avgpool"),
        ("googlenet", "inception_4e/output", "inception4e"),
        ("densenet121", "global_pool", "avgpool"),
        ("resnet18", "forward_features", "feature_map"),
        ("resnet18", "head", "logits"),
        ("vgg16", "penultimate", "fc7"),
    ],
)
def test_a_layer_by_the_name_of_another_collection(key: str, name: str, here: str) -> None:
    _, found = names_of(key, 224)
    assert find_layer(found, name).shape == found[here].shape
    assert find_layer(found, name) == found["pre_logits" if name == "penultimate" else here]


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("vgg16", "relu8", "no layer 'relu8'"),
        ("vgg16", "conv4_4", "no layer 'conv4_4', did you mean conv4_3"),
        ("resnet18", "layer3.5", "did you mean layer3.1 or layer3.0"),
        ("alexnet", "xyz", "the network has no layer 'xyz'; it has conv1, norm1, pool1, conv2"),
        ("alexnet", "", "the network has no layer ''; it has conv1"),
    ],
)
def test_a_layer_that_is_not_there(key: str, name: str, said: str) -> None:
    _, found = names_of(key, 224)
    with pytest.raises(UserError, match="describe") as refused:
        find_layer(found, name)
    assert said in str(refused.value)


def test_the_network_stays_as_it_is() -> None:
    network = build("resnet20", 10)
    before = [module.training for module in network.modules()]
    layer_names(network, 32)
    assert [module.training for module in network.modules()] == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_an_image_that_it_cannot_take() -> None:
    with pytest.raises(ValueError, match="cannot take 3 x 8 x 8"):
        layer_names(build("lenet", 10), 8)
