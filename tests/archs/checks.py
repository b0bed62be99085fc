"""What the tests of several families measure: parameters, multiply-adds, output shapes, gradients, equal outputs."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from cnnbench.archs import build

torch.set_num_threads(1)  # maps of a few pixels: more threads only wait for each other


def build_meta(name: str, num_classes: int = 1000, **options: Any) -> nn.Module:
    """The network without storage: shapes only, no time spent on weights."""
    with torch.device("meta"):
        return build(name, num_classes, **options).eval()


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network: nn.Module, size: int, channels: int = 3) -> int:
    """Of convolutions and linear layers, for one image; `network` is on the meta device."""
    total = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    network(torch.empty(1, channels, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return total


def shapes(network: nn.Module, size: int, names: list[str]) -> list[tuple[int, ...]]:
    """(C, H, W) of the outputs of the named submodules; `network` is on the meta device."""
    found: dict[str, tuple[int, ...]] = {}
    modules = dict(network.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _, __, y, name=name: found.__setitem__(name, tuple(y.shape[1:])))
        for name in names
    ]
    network(torch.empty(1, 3, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return [found[name] for name in names]


def assert_gradients(name: str, size: int = 32) -> None:
    """`assert_trains` for the network of that key, with 5 classes, on images of side `size`."""
    torch.manual_seed(0)
    assert_trains(build(name, num_classes=5), size)


def assert_trains(network: nn.Module, size: int) -> None:
    """One step on two images changes every parameter; eval mode is deterministic; the state dict is the whole state."""
    torch.manual_seed(0)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    outputs = network.train()(torch.randn(2, 3, size, size))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    assert len(heads) == 1 + len(getattr(network, "aux_weights", ()))
    assert len({head.shape for head in heads}) == 1
    target = torch.tensor([0, heads[0].shape[1] - 1])
    sum(nn.functional.cross_entropy(head, target) for head in heads).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"
    torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-30).step()  # its length does not hang on the gradient's
    same = [name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])]
    assert not same, f"not changed: {same}"

    network.eval()
    twin = copy.deepcopy(network).to("meta").eval()
    twin.load_state_dict(network.state_dict(), assign=True)
    image = torch.randn(1, 3, size, size)
    with torch.no_grad():
        logits = network(image)
        assert isinstance(logits, torch.Tensor), "auxiliary heads are for training only"
        assert torch.equal(logits, network(image))
        assert torch.equal(logits, twin(image))


def assert_same(ours: nn.Module, theirs: nn.Module, size: int = 33) -> None:
    """Both networks load one state dict and then agree in training mode, in eval mode and in their statistics.

    Float64, with drawn scales, shifts and statistics, so that no mistake hides behind a start of 1 and 0.
    """
    torch.manual_seed(0)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.1)
    ours, theirs = ours.double(), theirs.double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        for training in (False, True):
            torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=1e-9, atol=1e-9)
    for (key, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=f"statistics {key} differ")
