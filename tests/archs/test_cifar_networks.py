"""Networks for CIFAR whose weights people publish: each against a plain reference, written here by functional calls in
the order of the public code; small depths, the same classes."""

from __future__ import annotations

import pytest
import torch
from checks import assert_gradients, build_meta, drawn_state, multiply_adds, parameters, shapes
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.slow

# With 10 classes. pytorch-cifar's own counts are 11,173,962 for its ResNet18 and 11,171,146 for its PreActResNet18;
# the papers' are 1.7 million for 110 and 164 layers and 10.2 for 1001. Bottlenecks cost as much as two 3x3 (appendix).
FIGURES = {
    "cifar_resnet18": (11_173_962, 555_422_720),
    "cifar_resnet34": (21_282_122, 1_159_402_496),
    "cifar_resnet50": (23_520_842, 1_297_829_888),
    "cifar_preact_resnet18": (11_171_146, 555_422_720),
    "resnet164": (1_704_154, 244_500_992),
    "preact_resnet110": (1_727_962, 252_887_680),
    "preact_resnet164": (1_703_258, 244_500_992),
    "preact_resnet1001": (10_327_706, 1_487_849_984),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name, num_classes=10)
    assert (parameters(network), multiply_adds(network, 32)) == FIGURES[name]


@pytest.mark.parametrize("name", FIGURES)
def test_stages(name):
    if name.startswith("cifar_"):
        factor = 4 if name == "cifar_resnet50" else 1
        stem, stages = 64, [(64 * factor, 32, 32), (128 * factor, 16, 16), (256 * factor, 8, 8), (512 * factor, 4, 4)]
    else:
        factor = 1 if name == "preact_resnet110" else 4
        stem, stages = 16, [(16 * factor, 32, 32), (32 * factor, 16, 16), (64 * factor, 8, 8)]
    names = ["conv1", "maxpool", *(f"layer{i + 1}" for i in range(len(stages))), "fc"]
    expected = [(stem, 32, 32), (stem, 32, 32), *stages, (10,)]
    assert shapes(build_meta(name, num_classes=10), 32, names) == expected


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - {"preact_resnet1001"}))  # which is preact_resnet164, longer
def test_gradients(name):
    assert_gradients(name, 16)


State = dict[str, torch.Tensor]


def drawn(name: str, **options: object) -> tuple[nn.Module, State]:
    """The network in eval mode with random weights, and these; scales are small, so that nothing overflows."""
    network = build_meta(name, num_classes=5, **options)
    state = drawn_state(network, torch.float64)
    norms = {key.removesuffix("running_var") + "weight" for key in state if key.endswith("running_var")}
    state = {key: value * (0.5 if key in norms else 1) for key, value in state.items()}
    network.load_state_dict(state, assign=True)
    return network, state


class Layers:
    """A state dict's layers as functions of (name, maps)."""

    def __init__(self, state: State) -> None:
        self.state = state

    def conv(self, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        weight = self.state[f"{name}.weight"]
        return functional.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        parts = [self.state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts)

    def activated(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.norm(name, x))

    def classify(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x.mean((2, 3)), self.state[f"{name}.weight"], self.state[f"{name}.bias"])


def blocks(depths: tuple[int, ...]) -> list[tuple[str, int]]:
    """The name of each block and its stride."""
    names = [(f"layer{i + 1}.{j}", 2 if i and not j else 1) for i, depth in enumerate(depths) for j in range(depth)]
    assert len(names) == sum(depths)
    return names


def images(side: int = 16) -> torch.Tensor:
    return torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def assert_equal(network: nn.Module, expected: torch.Tensor, side: int = 16) -> None:
    torch.testing.assert_close(network(images(side)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "depths", "strided"),
    [
        ("cifar_resnet18", (2, 2, 2, 2), 1),
        ("cifar_resnet50", (2, 1, 2, 1), 2),
        ("resnet164", (2, 1, 2), 1),  # the paper's, of Caffe; in pytorch-classification the second: stride_in="3x3"
    ],
)
def test_a_residual_network_is_the_public_one(name, depths, strided):
    network, state = drawn(name, depths=depths)
    use = Layers(state)
    x = use.activated("bn1", use.conv("conv1", images()))
    for at, stride in blocks(depths):
        last = 3 if f"{at}.conv3.weight" in state else 2
        y = x
        for i in range(1, last + 1):
            y = use.norm(f"{at}.bn{i}", use.conv(f"{at}.conv{i}", y, stride if i == strided else 1))
            y = y.relu() if i < last else y
        if f"{at}.downsample.0.weight" in state:
            x = use.norm(f"{at}.downsample.1", use.conv(f"{at}.downsample.0", x, stride))
        x = (x + y).relu()
    assert_equal(network, use.classify("fc", x))


def preactivated(state: State, depths: tuple[int, ...], strided: int, projects: str, both: bool) -> torch.Tensor:
    """The sum that the last unit gives. `strided`: which convolution halves; `projects`: what a shortcut that changes
    the shape sees; `both`: BN and ReLU stand before both ways of the first unit, and before the pooling if there is."""
    use = Layers(state)
    pooled = state["conv1.weight"].shape[-1] == 7
    x = use.conv("conv1", images(64 if pooled else 16), 2 if pooled else 1)
    x = use.activated("bn0", x) if both else x
    x = functional.max_pool2d(x, 3, 2, 1) if pooled else x
    for number, (at, stride) in enumerate(blocks(depths)):
        first = x if both and number == 0 else use.activated(f"{at}.bn1", x)
        y = use.conv(f"{at}.conv1", first, stride if strided == 1 else 1)
        y = use.conv(f"{at}.conv2", use.activated(f"{at}.bn2", y), stride if strided == 2 else 1)
        if f"{at}.conv3.weight" in state:
            y = use.conv(f"{at}.conv3", use.activated(f"{at}.bn3", y))
        seen = first if projects == "activated" else x
        if f"{at}.downsample.weight" in state:
            x = use.conv(f"{at}.downsample", seen, stride)
        elif x.shape[1] < y.shape[1]:  # option A
            x = torch.cat([seen[:, :, ::2, ::2], torch.zeros_like(seen[:, :, ::2, ::2])], 1)
        x = x + y
    return x


MELIKETOY = dict(conv_bias=True, stride_in="conv2", shortcut_from="input")  # meliketoy/wide-resnet.pytorch
BEARPAW = dict(stride_in="conv2", shortcut_from="input", first_activation="branch")  # bearpaw/pytorch-classification


@pytest.mark.parametrize(
    ("name", "options", "strided", "projects", "both"),
    [
        ("wrn16_4", {}, 1, "activated", False),  # the paper's code, and xternalz/WideResNet-pytorch
        ("wrn16_4", MELIKETOY, 2, "input", False),
        ("preact_resnet18", {}, 1, "activated", True),  # the paper's appendix, and fb.resnet.torch's preresnet.lua
        ("preact_resnet50", {}, 2, "activated", True),
        ("preact_resnet110", {}, 1, "activated", True),
        ("preact_resnet164", {}, 1, "activated", True),
        ("resnext29_8x64d", {"groups": 1, "base_width": 8}, 2, "activated", True),  # preresnet.lua
        ("preact_resnet50", {"stride_in": "conv1", "first_activation": "branch"}, 1, "activated", False),
        ("preact_resnet164", BEARPAW, 2, "input", False),
        ("cifar_preact_resnet18", {}, 1, "activated", False),
    ],
)
def test_a_pre_activation_network_is_the_public_one(name, options, strided, projects, both):
    four_stages = name in ("cifar_preact_resnet18", "preact_resnet18", "preact_resnet50")
    depths = (1, 2, 1, 2) if four_stages else (2, 1, 2)
    network, state = drawn(name, depths=depths, **options)
    use, x = Layers(state), preactivated(state, depths, strided, projects, both)
    x = x if name.startswith("cifar") else use.activated("bn", x)  # pytorch-cifar averages the sum as it is
    assert_equal(network, use.classify("fc", x), 64 if network.conv1.stride == (2, 2) else 16)
    assert ("layer2.0.conv1.bias" in state) == ("conv_bias" in options)


def test_densenet_bc_is_the_public_one():
    network, state = drawn("densenet_bc100_12", depths=(2, 3, 2))
    use = Layers({key.removeprefix("features."): value for key, value in state.items()})
    x = use.conv("conv0", images())
    for i, depth in enumerate((2, 3, 2), start=1):
        for j in range(1, depth + 1):
            at = f"denseblock{i}.denselayer{j}"
            y = use.conv(f"{at}.conv1", use.activated(f"{at}.norm1", x))
            x = torch.cat([x, use.conv(f"{at}.conv2", use.activated(f"{at}.norm2", y))], 1)
        if i < 3:
            x = use.conv(f"transition{i}.conv", use.activated(f"transition{i}.norm", x))
            x = functional.avg_pool2d(x, 2)
    assert_equal(network, use.classify("classifier", use.activated("norm5", x)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride_in": "3x3"}, "preact_resnet has no stride_in '3x3': choose one of conv1, conv2"),
        ({"shortcut": "C"}, "preact_resnet has no shortcut 'C': choose one of A, B"),
        ({"shortcut_from": "output"}, "preact_resnet has no shortcut_from 'output': choose one of activated, input"),
        ({"first_activation": "none"}, "preact_resnet has no first_activation 'none': choose one of branch, both"),
        ({"kernels": (1, 5)}, r"no unit has kernels \[1, 5\]: give one to four, each 1 or 3, with a 3 among them"),
        ({"init": "xavier"}, "preact_resnet has no init 'xavier': choose one of fan_out, fan_in, wrn"),
        ({"groups": 65, "base_width": 1}, "no unit of width 16 has 65 groups of base width 1: too small"),
        ({"groups": 8, "expansion": 1}, "groups and base_width are of bottleneck units, which have an expansion"),
        ({"last_norm": "no"}, "preact_resnet164 has last_norm=no, which is neither true nor false"),
        ({"shortcut": "A", "widths": (64, 8, 8)}, "shortcut A only adds channels: it cannot lead 256 channels to 32"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_meta("preact_resnet164", **options)
