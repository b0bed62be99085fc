"""What other code does otherwise: padding, biases and epsilon against plain references, written here by functional
calls as TensorFlow, Keras and Caffe define their layers."""

from __future__ import annotations

import math

import pytest
import torch
from checks import build_meta, drawn_state
from meta import on_meta
from torch import nn
from torch.nn import functional

from cnnbench.archs.conventions import SameConv2d, SameMaxPool2d, same_padding
from cnnbench.archs.registry import build

State = dict[str, torch.Tensor]

# Side, kernel, stride -> pixels before and after, as TensorFlow's documentation of "same" gives them.
SAME = {
    (224, 7, 2): (2, 3),  # conv1 of GoogLeNet: torch's is 3 and 3
    (112, 3, 2): (0, 1),
    (147, 3, 2): (1, 1),  # Xception at 299, block1
    (74, 3, 2): (0, 1),  # and block2
    (28, 3, 1): (1, 1),
    (28, 5, 1): (2, 2),
    (28, 1, 2): (0, 0),
    (9, 2, 2): (0, 1),
    (8, 2, 1): (0, 1),
}


@pytest.mark.parametrize(("side", "kernel", "stride"), SAME)
def test_the_odd_pixel_of_padding_comes_last(side, kernel, stride):
    assert same_padding(side, kernel, stride) == SAME[side, kernel, stride]
    assert (side + sum(SAME[side, kernel, stride]) - kernel) // stride + 1 == math.ceil(side / stride)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 8), (8, 9), (7, 7)])
def test_layers_pad_by_it(height, width):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, height, width)
    conv = SameConv2d(3, 4, 3, 2)
    (top, bottom), (left, right) = ((0, 1) if side % 2 == 0 else (1, 1) for side in (height, width))
    padded = functional.pad(maps, (left, right, top, bottom))
    torch.testing.assert_close(conv(maps), functional.conv2d(padded, conv.weight, conv.bias, stride=2))
    padded = functional.pad(maps, (left, right, top, bottom), value=-math.inf)
    assert torch.equal(SameMaxPool2d()(maps), functional.max_pool2d(padded, 3, 2))


def drawn(name: str, **options: object) -> tuple[nn.Module, State]:
    """The network in eval mode with random weights, and these. Variances are small, so that epsilon matters."""
    network = build_meta(name, num_classes=5, **options)
    state = drawn_state(network, torch.float64)
    state = {key: value * (1e-4 if key.endswith("running_var") else 1) for key, value in state.items()}
    state = {key: value * (0.02 if key.endswith(BN_SCALES) else 1) for key, value in state.items()}
    network.load_state_dict(state, assign=True)
    return network, state


BN_SCALES = tuple(f"{norm}.weight" for norm in ("bn", "bn1", "bn2", "bn3", "downsample.1", "norm1", "norm2"))


def conv(state: State, name: str, x: torch.Tensor, stride: int = 1, padding: int = 0) -> torch.Tensor:
    return functional.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride, padding)


def norm(state: State, name: str, x: torch.Tensor, epsilon: float) -> torch.Tensor:
    scale, shift, mean, variance = (
        state[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / (variance + epsilon).sqrt() * scale + shift


def same(x: torch.Tensor, kernel: int, value: float = 0.0) -> torch.Tensor:
    """`x` with TensorFlow's padding at stride 2, for sides that are even."""
    assert x.shape[-1] % 2 == 0
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return functional.pad(x, (before, after, before, after), value=value)


def images(size: int) -> torch.Tensor:
    return torch.randn(1, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_keras_resnet_has_biases_and_its_own_epsilon():
    network, state = drawn("resnet50_v1", conv_bias=True, epsilon=1.001e-5)
    biases = [name for name in state if name.endswith((".bias",)) and state[name.replace("bias", "weight")].dim() == 4]
    assert len(biases) == 53  # of every convolution
    x = torch.randn(1, 256, 6, 6, dtype=torch.float64)
    y = x
    for i, (stride, padding) in enumerate([(2, 0), (1, 1), (1, 0)], start=1):
        y = norm(state, f"layer2.0.bn{i}", conv(state, f"layer2.0.conv{i}", y, stride, padding), 1.001e-5)
        y = y.relu() if i < 3 else y
    shortcut = norm(state, "layer2.0.downsample.1", conv(state, "layer2.0.downsample.0", x, 2), 1.001e-5)
    torch.testing.assert_close(network.layer2[0](x), (y + shortcut).relu(), rtol=1e-9, atol=1e-9)


def test_keras_densenet_has_its_own_epsilon():
    network, state = drawn("densenet121", epsilon=1.001e-5)
    layer = "features.denseblock1.denselayer1"
    x = torch.randn(1, 64, 5, 5, dtype=torch.float64)
    y = conv(state, f"{layer}.conv1", norm(state, f"{layer}.norm1", x, 1.001e-5).relu())
    y = conv(state, f"{layer}.conv2", norm(state, f"{layer}.norm2", y, 1.001e-5).relu(), padding=1)
    torch.testing.assert_close(network.get_submodule(layer)((x,)), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("same_padding", "epsilon"), [(True, 1e-3), (False, 1e-5)])
def test_xception_pools_an_even_side_as_keras_or_as_its_port(same_padding, epsilon):
    network, state = drawn("xception", same_padding=same_padding, epsilon=epsilon)
    x = torch.randn(1, 128, 6, 6, dtype=torch.float64)
    y = x
    for conv_at, norm_at in ((1, 2), (4, 5)):
        y = functional.conv2d(y.relu(), state[f"block2.rep.{conv_at}.conv1.weight"], padding=1, groups=y.shape[1])
        y = norm(state, f"block2.rep.{norm_at}", conv(state, f"block2.rep.{conv_at}.pointwise", y), epsilon)
    y = functional.max_pool2d(same(y, 3, -math.inf), 3, 2) if same_padding else functional.max_pool2d(y, 3, 2, 1)
    shortcut = norm(state, "block2.skipbn", conv(state, "block2.skip", x, 2), epsilon)
    torch.testing.assert_close(network.block2(x), y + shortcut, rtol=1e-9, atol=1e-9)


def googlenet_of_tensorflow(state: State, x: torch.Tensor) -> torch.Tensor:
    """inception5h.zip's graph: "same" everywhere, LRN of depth_radius 5, alpha 1e-4, beta 0.5, bias 2."""

    def unit(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.conv.weight"].shape[-1]
        if stride == 2:
            return conv(state, f"{name}.conv", same(x, kernel), 2).relu()
        return conv(state, f"{name}.conv", x, padding=kernel // 2).relu()

    def halve(x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(same(x, 3, -math.inf), 3, 2)

    def lrn(x: torch.Tensor) -> torch.Tensor:
        squares = functional.pad(x.square(), (0, 0, 0, 0, 5, 5)).unfold(1, 11, 1).sum(-1)
        return x / (2 + 1e-4 * squares).sqrt()

    x = lrn(halve(unit("conv1", x, stride=2)))
    x = halve(lrn(unit("conv3", unit("conv2", x))))
    for name in ("3a", "3b", "halve", "4a", "4b", "4c", "4d", "4e", "halve", "5a", "5b"):
        if name == "halve":
            x = halve(x)
            continue
        at = f"inception{name}.branch"
        pooled = functional.max_pool2d(x, 3, 1, 1)
        wide = [unit(f"{at}{branch}.1", unit(f"{at}{branch}.0", x)) for branch in (2, 3)]
        x = torch.cat([unit(f"{at}1", x), *wide, unit(f"{at}4.1", pooled)], 1)
    return functional.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


def test_googlenet_of_2015_is_tensorflows_graph():
    options = dict(modules="inception5h", lrn="inception5h", same_padding=True)
    network, state = drawn("googlenet", aux_heads=False, **options)
    x = 30 * images(64)
    torch.testing.assert_close(network(x), googlenet_of_tensorflow(state, x), rtol=1e-5, atol=1e-5)  # LRN: float32
    assert state["inception4a.branch2.1.conv.weight"].shape == (204, 96, 3, 3)
    assert state["inception4b.branch1.conv.weight"].shape == (160, 508, 1, 1)
    assert state["inception5a.branch3.0.conv.weight"].shape == (48, 832, 1, 1)
    assert build_meta("googlenet", **options).aux1.conv.conv.in_channels == 508


@pytest.mark.parametrize("size", [79, 84, 97, 224])
def test_auxiliary_heads_of_googlenet_fit_the_maps_of_that_padding(size):
    network = build_meta("googlenet", num_classes=3, image_size=size, same_padding=True).train()
    assert {tuple(logits.shape) for logits in on_meta(network, size, images=2)} == {(2, 3)}


def bn_inception(state: State, x: torch.Tensor, epsilon: float, slim: bool) -> torch.Tensor:
    """Caffe's network: padding alike on both sides, pools rounded up, the padding counted; or TensorFlow-slim's."""

    def unit(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.conv.weight"].shape[-1]
        if stride == 2 and slim:
            y = conv(state, f"{name}.conv", same(x, kernel), 2)
        else:
            y = conv(state, f"{name}.conv", x, stride, kernel // 2)
        return norm(state, f"{name}.bn", y, epsilon).relu()

    def halve(x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(same(x, 3, -math.inf), 3, 2)  # as rounding up does at an even side

    def average(x: torch.Tensor) -> torch.Tensor:
        counted = functional.avg_pool2d(x, 3, 1, 1)
        return counted / functional.avg_pool2d(torch.ones_like(x), 3, 1, 1) if slim else counted

    x = halve(unit("conv1", x, stride=2))
    x = halve(unit("conv3", unit("conv2", x)))
    for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        at, stride = f"inception.{name}.branch", 2 if name in ("3c", "4e") else 1
        three = unit(f"{at}2.1", unit(f"{at}2.0", x), stride)
        double = unit(f"{at}3.2", unit(f"{at}3.1", unit(f"{at}3.0", x)), stride)
        if stride == 2:
            x = torch.cat([three, double, halve(x)], 1)
            continue
        pooled = functional.max_pool2d(x, 3, 1, 1) if name == "5b" else average(x)
        x = torch.cat([unit(f"{at}1", x), three, double, unit(f"{at}4.1", pooled)], 1)
    return functional.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])


@pytest.mark.parametrize("slim", [False, True])
def test_bn_inception_of_caffe_and_of_slim(slim):
    options = dict(filters="slim", count_padding=False, same_padding=True) if slim else dict(conv_bias=True)
    epsilon = 1e-3 if slim else 1e-5
    network, state = drawn("bn_inception", epsilon=epsilon, **options)
    x = images(64)
    torch.testing.assert_close(network(x), bn_inception(state, x, epsilon, slim), rtol=1e-9, atol=1e-9)
    assert ("inception.3a.branch1.conv.bias" in state) == (not slim)


def test_bn_inceptions_separable_first_convolution_pads_as_the_dense_one():
    network = build_meta("bn_inception", separable_conv1=True, same_padding=True)
    assert isinstance(network.conv1[0], SameConv2d)
    assert on_meta(network, 65).shape == (1, 1000)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "xception", "bn_inception"])
@pytest.mark.parametrize("epsilon", [0, -1e-5, math.inf])
def test_an_epsilon_that_cannot_be_is_refused(name, epsilon):
    with pytest.raises(ValueError, match=rf"epsilon={epsilon} is not above 0"):
        build_meta(name, epsilon=epsilon)


def test_biases_start_at_0_and_are_trained():
    network = build("resnet20", num_classes=3, conv_bias=True)
    assert all(not layer.bias.any() for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert {"conv1.bias", "layer2.0.conv2.bias"} <= {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("googlenet", {"same_padding": "flase"}, "googlenet has same_padding=flase, which is neither true nor false"),
        ("resnet18", {"conv_bias": 1}, "resnet18 has conv_bias=1, which is neither true nor false"),
        ("densenet121", {"epsilon": "x"}, "densenet121 has epsilon=x, which is not a number"),
        ("xception", {"epsilon": True}, "xception has epsilon=True, which is not a number"),
        ("wrn16_4", {"kernels": 3}, r"wrn16_4 has kernels=3, which is not a list of numbers, as \[3, 3\] is"),
        ("wrn16_4", {"depths": "ab"}, r"wrn16_4 has depths=ab, which is not a list of numbers, as \[2, 2, 2\] is"),
    ],
)
def test_a_word_in_place_of_a_switch_or_a_number_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_meta(name, **options)
