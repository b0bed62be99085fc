"""What the tests of several families measure: parameters, multiply-adds, output shapes, gradients, equal outputs."""

from __future__ import annotations

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
    """A backward pass in training mode reaches every parameter of the network with a finite gradient, not all zero."""
    torch.manual_seed(0)
    network = build(name, num_classes=5)
    logits = network(torch.randn(2, 3, size, size))
    assert logits.shape == (2, 5)
    nn.functional.cross_entropy(logits, torch.tensor([1, 4])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name}: {key} has no gradient"
        assert parameter.grad.isfinite().all(), f"{name}: the gradient of {key} is not finite"
        assert parameter.grad.any(), f"{name}: the gradient of {key} is zero everywhere"


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
