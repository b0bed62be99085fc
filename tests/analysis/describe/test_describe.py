"""Layer tables: counts and shapes against the papers, receptive fields against recursion and measurement."""

import json
import math
import re

import pytest
import torch
import torchvision
from torch import nn

from cnnbench.analysis.describe.network import Description, describe, describe_named
from cnnbench.analysis.describe.table import render_description
from cnnbench.archs.facts import facts
from cnnbench.archs.registry import build, names

pytestmark = pytest.mark.slow

# Theoretical field before the classifier's pooling; jump 32 everywhere.
FIELDS = {
    "alexnet": 195,
    "alexnet_tv": 195,
    "zfnet": 171,
    "vgg11": 150,
    "vgg13": 156,
    "vgg16": 212,
    "vgg19": 268,
    "googlenet": 715,
    "resnet18": 435,
    "resnet34": 899,
    "resnet50": 427,
    "resnet101": 971,
    "resnet152": 1451,
    "resnet50_v1": 483,
    "resnet101_v1": 1027,
    "resnet152_v1": 1507,
}


def widest_field(description: Description) -> int:
    """The field of the last maps: of units that still have neighbours."""
    return max(layer.receptive_field[0] for layer in description.layers if layer.jump[0] and layer.output[-1] > 1)


def torchvision_network(name: str) -> nn.Module:
    quick = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        return torchvision.models.get_model(name, **quick)


@pytest.mark.parametrize("name", names())
def test_totals_are_the_published_counts(name):
    totals, published = describe_named(name).totals, facts(name)
    assert totals.params == published["params"]["total"]
    assert totals.params_with_aux == published["params"].get("with_aux", totals.params)
    assert totals.macs == published["macs"]


@pytest.mark.parametrize(
    ("name", "key", "image_size"),
    [
        ("googlenet", "googlenet_tv", 224),
        ("inception_v3", "inception_v3", 299),
        ("densenet121", "densenet121", 224),
        ("resnext50_32x4d", "resnext50_32x4d", 224),
        ("vgg16_bn", "vgg16_bn", 224),
    ],
)
def test_totals_of_branches_concatenation_groups_and_auxiliary_heads(name, key, image_size):
    totals, published = describe(torchvision_network(name), image_size).totals, facts(key)
    assert totals.params == published["params"]["total"]
    assert totals.params_with_aux == published["params"].get("with_aux", totals.params)
    assert totals.macs == published["macs"]


@pytest.mark.parametrize("name", sorted(FIELDS.keys() & set(names())))
def test_receptive_field_of_the_last_map(name):
    assert widest_field(describe_named(name)) == FIELDS[name]


@pytest.mark.parametrize(
    ("name", "image_size", "field"),
    [("googlenet", 224, 379), ("inception_v3", 299, 1311), ("densenet121", 224, 2071), ("resnext50_32x4d", 224, 427)],
)
def test_receptive_field_through_branches_and_concatenation(name, image_size, field):
    """By hand along the widest path: the sum of (k - 1) times the jump at each layer, plus 1."""
    assert widest_field(describe(torchvision_network(name), image_size)) == field


def test_layers_of_alexnet():
    layers = {layer.name: layer for layer in describe_named("alexnet").layers}
    conv2 = layers["features.4"]
    assert (conv2.type, conv2.kernel, conv2.stride, conv2.padding, conv2.groups) == (
        "Conv2d",
        (5, 5),
        (1, 1),
        (2, 2),
        2,
    )
    assert conv2.output == (256, 27, 27)
    assert (conv2.receptive_field, conv2.jump, conv2.start) == ((51, 51), (8, 8), (-18, -18))
    assert conv2.params == 307_456
    assert conv2.macs == 223_948_800
    assert conv2.activations_bytes == 4 * 256 * 27 * 27
    assert layers["features.5"].activations_bytes == 0  # in place
    assert layers["features.14"].output == (256, 6, 6)
    fc6 = layers["classifier.0"]
    assert (fc6.output, fc6.receptive_field, fc6.jump, fc6.macs) == ((4096,), (355, 355), (0, 0), 9216 * 4096)
    assert layers["classifier.5"].activations_bytes == 0  # dropout hands on its input


def test_rows_add_up_to_the_totals_and_a_module_that_runs_twice_is_counted_once():
    conv = nn.Conv2d(4, 4, 3, padding=1)
    description = describe(nn.Sequential(conv, conv), 8, in_channels=4)
    assert [layer.params for layer in description.layers] == [148, 0]
    assert [layer.macs for layer in description.layers] == [9216, 9216]
    assert description.totals.params == description.totals.params_with_aux == 148
    assert [layer.receptive_field for layer in description.layers] == [(3, 3), (5, 5)]


class Joined(nn.Module):
    """A slice, a padding and a sum, with kernels that differ by axis."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(1, 1, (1, 7), stride=2)
        self.dilated = nn.Conv2d(1, 1, 3, stride=2, padding=2, dilation=2)
        self.after = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.wide(nn.functional.pad(x, (3, 3, 0, 0)))
        return self.after(wide + self.dilated(x) + x[:, :, ::2, ::2])


def test_a_join_holds_the_fields_of_all_its_inputs():
    wide, dilated, after = describe(Joined(), 16, in_channels=1).layers
    assert (wide.receptive_field, wide.start) == ((1, 7), (0, -3))
    assert (dilated.receptive_field, dilated.start) == ((5, 5), (-2, -2))
    assert (after.receptive_field, after.start, after.jump) == ((5, 7), (-2, -3), (2, 2))


def test_adaptive_pooling():
    (pool,) = describe(nn.AdaptiveAvgPool2d(2), 8).layers
    assert (pool.receptive_field, pool.jump) == ((4, 4), (4, 4))
    (pool,) = describe(nn.AdaptiveAvgPool2d(3), 8).layers
    assert (pool.receptive_field, pool.jump) == ((4, 4), (8 / 3, 8 / 3))
    (pool,) = describe(nn.AdaptiveAvgPool2d(1), 8).layers
    assert (pool.receptive_field, pool.jump) == ((8, 8), (0, 0))


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)).train()
    model[1].eval()
    weight = model[0].weight
    describe(model, 8)
    assert model[0].weight is weight
    assert weight.device.type == "cpu"
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert not model[0]._forward_hooks


def test_an_image_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the network cannot take 3 x 64 x 64"):
        describe(torchvision_network("vgg16").features.append(nn.MaxPool2d(4)), 64)
    with pytest.raises(ValueError, match="both must be at least 1"):
        describe(nn.Identity(), 0)


def test_forms():
    description = describe(torchvision_network("googlenet"), 224)
    contents = json.loads(render_description(description, "json"))
    assert set(contents) == {"layers", "totals"}
    assert set(contents["totals"]) == {"params", "params_with_aux", "macs", "activations_bytes"}
    assert contents["totals"]["params"] == 6_624_904
    assert contents["layers"][0]["kernel"] == [7, 7]
    text = render_description(description, "table", "googlenet")
    assert all(len(line) <= 120 for line in text.splitlines())
    assert "13,004,888 with auxiliary heads" in text
    assert "| conv1.conv | Conv2d | 7x7/2 p3 | 64x112x112 | 7 | 2 | 9,408 |" in render_description(
        description, "markdown"
    )


def linearised(module: nn.Module) -> nn.Module:
    """`module` with positive random weights, identities for what is not linear, averages for maxima, norms at rest."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU | nn.BatchNorm2d | nn.LocalResponseNorm):
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
        else:
            linearised(child)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = math.prod(layer.weight.shape[1:])
            layer.weight = nn.Parameter(torch.rand(layer.weight.shape) / fan_in)
            layer.bias = None
    return module


@pytest.mark.parametrize(
    ("name", "image_size"), [("alexnet", 319), ("vgg16", 320), ("resnet18", 575), ("resnet50", 575)]
)
def test_the_field_is_the_support_of_the_input_gradient(name, image_size):
    """The units of the middle of the last map, on an image larger than the field, see exactly the computed pixels."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.device("meta"):
        network = build(name)
    body = nn.Sequential(*list(network.children())[:-2]) if name.startswith("resnet") else network.features
    last = [layer for layer in describe(body, image_size).layers if layer.jump[0]][-1]
    image = torch.zeros(1, 3, image_size, image_size, requires_grad=True)
    output = linearised(body)(image)
    middle = output.shape[-1] // 2
    (gradient,) = torch.autograd.grad(output[0, :, middle, middle].sum(), image)
    for axis, other in ((0, 1), (1, 0)):
        seen = gradient[0].abs().sum(0).amax(other).nonzero().flatten()
        first = last.start[axis] + middle * last.jump[axis]
        assert first >= 0
        assert first + last.receptive_field[axis] <= image_size
        assert (seen[0], seen[-1]) == (first, first + last.receptive_field[axis] - 1)


def test_names_stand_at_the_row_of_their_value(command):
    layers = json.loads(command("describe", "arch=resnet18", "format=json").stdout)["layers"]
    rows = {name: layer["name"] for layer in layers for name in layer["names"]}
    assert rows["layer1.1"] == rows["layer1"] == rows["conv2_x"] == "layer1.1.relu"
    assert rows["pre_logits"] == rows["avgpool"] == "dropout"
    assert {"relu", "dropout", "fc"}.isdisjoint(rows)  # a row's own path is not repeated
    text = command("describe", "arch=alexnet").stdout
    assert re.search(r"^classifier\.4 +fc7 +ReLU ", text, re.MULTILINE)
    assert "fc7 is after its ReLU" in text
