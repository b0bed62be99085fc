"""DenseNet: counted figures, the paper's Table 1, torchvision, and the memory-saving form."""

from __future__ import annotations

import pytest
import torch
import torchvision
from checks import assert_gradients, assert_same, build_meta, multiply_adds, parameters, shapes
from torch import nn

from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

# Parameters and multiply-adds at 224x224 with 1000 classes.
FIGURES = {
    "densenet121": (7_978_856, 2_834_161_664),
    "densenet169": (14_149_480, 3_359_843_328),
    "densenet201": (20_013_928, 4_291_365_888),
    "densenet264": (33_337_704, 5_751_653_376),
    "densenet161": (28_681_000, 7_727_907_072),
}

# DenseNet-BC-100-12 with 10 classes by hand; the paper prints 0.8 million.
#   conv0 9 * 3 * 24 = 648
#   a dense layer with c channels in: 48 c + 9 * 48 * 12 weights, normalisation 2 c + 2 * 48: in all 50 c + 5280
#   48 layers; the blocks start with 24, 108, 150 channels, so the sum of c is 16 (24 + 108 + 150) + 3 * 12 * 120 = 8832
#   transitions 216 * 108 + 2 * 216 and 300 * 150 + 2 * 300; last normalisation 2 * 342; classifier 342 * 10 + 10
BC100_PARAMETERS = 648 + 50 * 8832 + 48 * 5280 + 23_760 + 45_600 + 684 + 3_430  # 769,162


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    network = build_meta(name)
    assert (parameters(network), multiply_adds(network, 224)) == FIGURES[name]


def test_parameters_for_cifar():
    assert parameters(build_meta("densenet_bc100_12", num_classes=10)) == BC100_PARAMETERS == 769_162


# Channels after each dense block; a transition halves them and the side.
@pytest.mark.parametrize(
    ("name", "stem", "channels"),
    [
        ("densenet121", 64, (256, 512, 1024, 1024)),
        ("densenet169", 64, (256, 512, 1280, 1664)),
        ("densenet201", 64, (256, 512, 1792, 1920)),
        ("densenet264", 64, (256, 512, 2304, 2688)),
        ("densenet161", 96, (384, 768, 2112, 2208)),
    ],
)
def test_stages_are_those_of_table_1(name, stem, channels):
    names, expected = ["features.conv0", "features.pool0"], [(stem, 112, 112), (stem, 56, 56)]
    for i, (width, side) in enumerate(zip(channels, (56, 28, 14, 7), strict=True), start=1):
        names.append(f"features.denseblock{i}")
        expected.append((width, side, side))
        if i < 4:
            names.append(f"features.transition{i}")
            expected.append((width // 2, side // 2, side // 2))
    assert shapes(build_meta(name), 224, [*names, "classifier"]) == [*expected, (1000,)]


def test_stages_for_cifar():
    names = ["conv0", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3"]
    expected = [(24, 32, 32), (216, 32, 32), (108, 16, 16), (300, 16, 16), (150, 8, 8), (342, 8, 8)]
    network = build_meta("densenet_bc100_12", num_classes=10)
    assert shapes(network, 32, [f"features.{name}" for name in names]) == expected


@pytest.mark.parametrize("name", ["densenet121", "densenet161"])  # the others have more of the same layers
def test_equals_torchvision(name):
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(num_classes=7)
    assert_same(build_meta(name, num_classes=7), reference)


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet_bc100_12"])
def test_gradients(name):
    assert_gradients(name)


def _pair(depths=(4, 6, 3), **options):
    """The same small network as it is and memory-saving, and images."""
    torch.manual_seed(0)
    options = dict(num_classes=5, depths=depths, growth=8, **options)
    plain = build("densenet_bc100_12", **options)
    saving = build("densenet_bc100_12", memory_saving=True, **options)
    saving.load_state_dict(plain.state_dict())
    return plain, saving, torch.randn(4, 3, 16, 16)


def _assert_same_state(plain, saving):
    for (key, a), b in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), f"the gradients of {key} differ"
    for (key, a), b in zip(plain.named_buffers(), saving.buffers(), strict=True):
        assert torch.equal(a, b), f"the statistics {key} differ"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_saving_changes_no_gradient_and_no_statistic(dtype):
    plain, saving, x = _pair()
    for _ in range(2):
        for network in (plain, saving):
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                logits = network(x)
            logits.float().square().sum().backward()
    _assert_same_state(plain, saving)
    counts = {int(norm.num_batches_tracked) for norm in saving.modules() if isinstance(norm, nn.BatchNorm2d)}
    assert counts == {2}


def test_memory_saving_survives_a_second_backward_pass():
    plain, saving, x = _pair()
    for network in (plain, saving):
        loss = network(x).square().sum()
        loss.backward(retain_graph=True)
        loss.backward()
    _assert_same_state(plain, saving)


def test_memory_saving_works_with_dropout_and_in_eval_mode():
    plain, saving, x = _pair(block_dropout=0.2)
    for network in (plain, saving):
        torch.manual_seed(1)
        network(x).square().sum().backward()
        network.eval()(x).square().sum().backward()
    _assert_same_state(plain, saving)
    with torch.no_grad():
        assert torch.equal(plain(x), saving(x))


def _kept_bytes(layers: int, memory_saving: bool) -> int:
    """Bytes of activations that a network of one block of `layers` keeps for the backward pass."""
    network = build("densenet_bc100_12", num_classes=2, depths=(layers,), growth=8, memory_saving=memory_saving)
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    kept = {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # holding the tensor keeps its address from reuse
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = network(torch.randn(1, 3, 16, 16)).sum()
    assert loss.requires_grad
    return sum(nbytes for nbytes, _ in kept.values())


def test_memory_saving_keeps_activations_linear_in_depth():
    plain = [_kept_bytes(layers, False) for layers in (8, 16, 32)]
    saving = [_kept_bytes(layers, True) for layers in (8, 16, 32)]
    assert plain[2] - plain[1] > 2.5 * (plain[1] - plain[0])  # quadratic: nearly four times; linear: twice
    assert saving[2] - saving[1] < 2.2 * (saving[1] - saving[0])
    assert saving[2] < plain[2] / 2


def test_block_dropout_follows_every_convolution_but_the_first():
    network = build("densenet_bc100_12", num_classes=3, depths=(2, 2), growth=4, block_dropout=0.2)
    calls = []
    for module in network.modules():
        if isinstance(module, nn.Dropout) and module.p == 0.2:
            module.register_forward_hook(lambda *_: calls.append(1))
    network(torch.randn(2, 3, 8, 8))
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert len(calls) == convolutions - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(stem="tiny"), "densenet has no stem 'tiny': choose one of imagenet, cifar"),
        (dict(growth=0), r"cannot have depths \(6, 12, 24, 16\) and growth 0"),
        (dict(depths=(6, 0)), r"cannot have depths \(6, 0\)"),
        (dict(block_dropout=2), "dropout probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_meta("densenet121", **options)
