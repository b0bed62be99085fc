"""memory=save: the same gradients and statistics, and less kept between forward and backward."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from cnnbench.archs.activation_checkpointing import apply_memory
from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

torch.set_num_threads(1)  # maps of a few pixels: more threads only wait for each other

# A network of each form: residual blocks, dense layers, a sequence of layers, modules with auxiliary heads, a network
# without blocks; its switches, and the side of its images.
NETWORKS = {
    "resnet18": (dict(widths=(4, 8, 8, 8), dropout=0.5, stochastic_depth=0.5), 32),
    "densenet_bc100_12": (dict(depths=(4, 6, 3), growth=8, block_dropout=0.2), 32),
    "vgg11_bn": (dict(image_size=32), 32),
    "googlenet": (dict(image_size=79, batch_norm=True), 79),
    "lenet": (dict(in_channels=3), 32),
}


def pair(name: str) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """The same network as it is, and saving memory, and images."""
    options, side = NETWORKS[name]
    torch.manual_seed(0)
    plain = build(name, num_classes=5, **options)
    saving = copy.deepcopy(plain)
    apply_memory(saving, "save")
    return plain, saving, torch.randn(2, 3, side, side)


def step(network: nn.Module, images: torch.Tensor) -> None:
    torch.manual_seed(1)
    outputs = network(images)
    sum(head.square().sum() for head in (outputs if isinstance(outputs, tuple) else (outputs,))).backward()


def assert_same_state(plain: nn.Module, saving: nn.Module) -> None:
    assert list(plain.state_dict()) == list(saving.state_dict())
    for (key, a), b in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), f"the gradients of {key} differ"
    for (key, a), b in zip(plain.named_buffers(), saving.named_buffers(), strict=True):
        assert torch.equal(a, b[1]), f"the statistics {key} differ"


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_the_same(name):
    plain, saving, images = pair(name)
    for network in (plain, saving):
        step(network, images)
    assert_same_state(plain, saving)
    with torch.no_grad():
        assert torch.equal(plain.eval()(images), saving.eval()(images))


def test_a_deep_copy_computes_with_its_own_layers():
    plain, saving, images = pair("resnet18")
    copied = copy.deepcopy(saving)
    step(plain, images)
    step(copied, images)
    assert_same_state(plain, copied)
    assert all(parameter.grad is None for parameter in saving.parameters())


def test_it_compiles_in_one_graph():
    saving, images = build("resnet18", num_classes=2, depths=(1,), widths=(4,)), torch.randn(2, 3, 16, 16)
    apply_memory(saving, "save")
    eager = copy.deepcopy(saving)
    step(eager, images)
    step(torch.compile(saving, backend="aot_eager", fullgraph=True), images)
    for (key, a), b in zip(eager.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=f"the gradients of {key} differ")
    for (key, a), b in zip(eager.named_buffers(), saving.named_buffers(), strict=True):
        torch.testing.assert_close(a, b[1], msg=f"the statistics {key} differ")


def peak(network: nn.Module, images: torch.Tensor) -> int:
    """Most bytes allocated at one time by a forward and backward pass."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step(network, images)
    now = most = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


@pytest.mark.parametrize(
    ("name", "options", "factor"),
    [
        ("resnet18", dict(depths=(6, 6), widths=(8, 8), stem="cifar"), 2),
        ("densenet_bc100_12", dict(depths=(8, 8), growth=8), 2),
    ],
)
def test_less_memory_is_taken_at_the_peak(name, options, factor):
    plain, saving = (build(name, num_classes=5, **options) for _ in range(2))
    apply_memory(saving, "save")
    images = torch.randn(8, 3, 32, 32)
    assert peak(plain, images) > factor * peak(saving, images)
