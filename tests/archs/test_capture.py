"""What passes inside a network, against plain forward hooks that copy."""

from __future__ import annotations

import pytest
import torch
from prove_layers import plain_values

from cnnbench.archs.capture import capture, distinct
from cnnbench.archs.layer_names import Names, layer_names
from cnnbench.archs.registry import build

# One network of each class, on images as small as it takes; tools/prove_layers.py has all 81 at their own size.
SIZES = {
    "lenet": 32,
    "alexnet": 63,
    "alexnet_tv": 63,
    "zfnet": 63,
    "vgg11_bn": 32,
    "cifar_nin": 32,
    "googlenet": 96,
    "bn_inception": 32,
    "resnet18": 32,
    "preact_resnet18": 32,
    "resnet110": 32,
    "densenet_bc100_12": 32,
    "xception": 64,
    "inception_v3": 80,
}


def prepared(key: str, **options) -> tuple[torch.nn.Module, Names, torch.Tensor]:
    torch.manual_seed(1)
    sized = {"image_size": SIZES[key]} if key in ("alexnet", "zfnet", "vgg11_bn", "lenet", "googlenet") else {}
    network = build(key, 10, **sized, **options).eval()
    names = layer_names(network, SIZES[key])
    return network, names, torch.randn(2, 3, SIZES[key], SIZES[key])


@pytest.mark.slow
@pytest.mark.parametrize("key", SIZES)
def test_every_layer_equals_a_plain_hook(key: str) -> None:
    network, names, images = prepared(key)
    with torch.no_grad():
        expected = plain_values(network, images)
    with torch.no_grad(), capture(network, names) as run:
        found = run(images)
    assert list(found) == list(names)
    for name, point in names.items():
        assert torch.equal(found[name], expected[point.path, point.side]), name
        assert found[name].shape[1:] == point.shape
    assert torch.equal(network.forward_features(images), found["feature_map"])
    assert network.get_classifier() is network.get_submodule(network.CLASSIFIER)


def test_points_with_equal_values_are_one() -> None:
    network, names, images = prepared("alexnet")
    points = {name: names[name] for name in ("pool5", "fc7", "pre_logits", "fc8", "logits")}
    assert list(distinct(network, points, images[:1])) == ["pool5", "fc7", "fc8"]
    assert list(distinct(network.train(), points, images[:1])) == ["pool5", "fc7", "fc8"]
    assert network.classifier.training
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert list(distinct(network, points, images[:1])) == list(points)


def test_the_pass_stops_at_the_last_layer() -> None:
    network, names, images = prepared("resnet18")
    reached: list[int] = []
    network.get_submodule("layer3").register_forward_hook(lambda *_: reached.append(3))
    with capture(network, {"a": names["layer2.1"], "b": names["conv1"]}) as run:
        assert run(images)["a"].shape == (2, 128, 4, 4)
        run(images)
    assert reached == []
    assert network(images).shape == (2, 10)  # the hooks are gone
    assert reached == [3]


def test_a_module_that_runs_twice_gives_its_last_call() -> None:
    network, names, images = prepared("resnet18")
    assert names["layer1.0.relu"].calls == 2
    with torch.no_grad(), capture(network, {name: names[name] for name in ("layer1.0", "layer1.0.relu")}) as run:
        both = run(images)
    assert torch.equal(both["layer1.0"], both["layer1.0.relu"])
    with torch.no_grad(), capture(network, {"relu": names["layer1.0.relu"]}) as run:  # where the pass stops at it too
        assert torch.equal(run(images)["relu"], both["layer1.0"])


def test_gradients_flow_to_a_layer_that_is_overwritten() -> None:
    network, names, images = prepared("alexnet")
    with capture(network, {name: names[name] for name in ("features.12", "conv5", "logits")}) as run:
        values = run(images)
        before, after = torch.autograd.grad(values["logits"][:, 3].sum(), [values["features.12"], values["conv5"]])
    assert values["features.12"].min() < 0 <= values["conv5"].min()
    assert torch.equal(before, after * (values["features.12"] > 0))
    assert after.abs().sum() > 0
