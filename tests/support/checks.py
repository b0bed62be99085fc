"""What the tests of several families measure: parameters, multiply-adds, output shapes, gradients, equal outputs."""

from __future__ import annotations

import copy
import math
import zlib
from typing import Any

import torch
from meta import on_meta
from torch import nn

from cnnbench.archs.registry import build

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
    on_meta(network, size, channels)
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
    on_meta(network, size)
    for hook in hooks:
        hook.remove()
    return [found[name] for name in names]


def assert_gradients(name: str, size: int = 32) -> None:
    """`assert_trains` for the network of that key, with 5 classes, on images of side `size`."""
    torch.manual_seed(0)
    assert_trains(build(name, num_classes=5), size)


def assert_trains(network: nn.Module, size: int) -> None:
    """Two images give every parameter a gradient; eval mode is deterministic; the state dict is the whole state."""
    torch.manual_seed(0)
    outputs = network.train()(torch.randn(2, 3, size, size))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    assert len(heads) == 1 + len(getattr(network, "aux_weights", ()))
    assert len({head.shape for head in heads}) == 1
    target = torch.tensor([0, heads[0].shape[1] - 1])
    sum(nn.functional.cross_entropy(head, target) for head in heads).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        largest = parameter.grad.abs().max().item()
        assert 0 < largest < math.inf, f"the gradient of {name} is {largest}"
    network.zero_grad()

    network.eval()
    twin = without_storage(network)
    twin.load_state_dict(network.state_dict(), assign=True)
    image = torch.randn(1, 3, size, size)
    with torch.no_grad():
        logits = network(image)
        assert isinstance(logits, torch.Tensor), "auxiliary heads are for training only"
        assert torch.equal(logits, network(image))
        assert torch.equal(logits, twin(image))


def without_storage(network: nn.Module) -> nn.Module:
    """A copy of `network` on the meta device, made without a copy of its weights."""
    tensors = [*network.parameters(), *network.buffers()]
    twins = {id(tensor): tensor.detach().to("meta").requires_grad_(tensor.requires_grad) for tensor in tensors}
    parameters = {id(parameter) for parameter in network.parameters()}
    memo = {key: nn.Parameter(twin) if key in parameters else twin for key, twin in twins.items()}
    return copy.deepcopy(network, memo)


def drawn_state(network: nn.Module, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """A state dict for `network`, which may be on meta: noise of its own for each name, so that no mistake hides behind
    equal tensors or a start of 1 and 0. Weights by He's initialisation; all vectors are positive, for the variances.
    """
    period = 1_000_003  # a prime: no two rows are the same
    noise = torch.randn(period, generator=torch.Generator().manual_seed(0), dtype=dtype).repeat(2)
    state = {}
    for name, tensor in network.state_dict().items():
        if tensor.dim() == 0:
            state[name] = torch.tensor(0)
            continue
        start, size = zlib.crc32(name.encode()) % period, tensor.numel()
        values = noise[start : start + min(size, period)].repeat(-(-size // period))[:size]
        if tensor.dim() > 1:
            state[name] = values.mul_((2 / tensor[0].numel()) ** 0.5).reshape(tensor.shape)
        else:
            state[name] = 0.5 + values.sigmoid()
    return state


def assert_same(ours: nn.Module, theirs: nn.Module, size: int = 33) -> None:
    """Both networks, on meta, load one drawn state dict and then agree in training mode, in eval mode and in their
    statistics; in float64."""
    state = drawn_state(theirs, torch.float64)
    for network in (ours, theirs):
        own = {key: value if value.dim() > 1 else value.clone() for key, value in state.items()}
        network.load_state_dict(own, assign=True)
    x = torch.randn(3, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for training in (False, True):
            torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=1e-9, atol=1e-9)
    for (key, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=f"statistics {key} differ")
