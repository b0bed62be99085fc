"""The order in which the modules of a network run, and the shapes between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.hooks import RemovableHandle

from cnnbench.runtime.compiler import leave_compiler_unimported

OUTPUT, INPUT = "output", "input"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """A place in the forward pass: what the module at `path` returns, or reads (`side`: OUTPUT or INPUT).

    `path` "" is the whole network. `calls`: how often the module runs in a pass; the value is the last call's. `order`
    grows along the pass. `shape`: of the value for one image, (C, H, W) or (C,).
    """

    path: str
    side: str
    calls: int
    order: int
    shape: Shape

    def __str__(self) -> str:
        """The path, or in words that it is what the module there reads."""
        path = self.path or "the network"
        return path if self.side == OUTPUT else f"what {path} reads"


@dataclass(frozen=True)
class Call:
    """The last call of a module in a pass; `before` is None where it reads anything but one tensor."""

    module: nn.Module
    before: Point | None
    after: Point


def forward_pass(network: nn.Module, image_size: int, in_channels: int) -> dict[str, Call]:
    """The modules that run on one image of that size in inference mode, by path, in the order in which they end.

    The pass is one on the meta device: no data, no memory. The network stays as it is. Raises ValueError if it cannot
    take such an image.
    """
    watch = _Watch()
    hooks = [hook for name, module in network.named_modules() for hook in watch.hooks(name, module)]
    run_on_meta(network, *on_meta(network, image_size, in_channels), hooks)
    return dict(sorted(watch.calls.items(), key=lambda call: call[1].after.order))


def on_meta(network: nn.Module, image_size: int, in_channels: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Parameters and buffers of a network, by name, and one image (1, C, H, W) of their type, on the meta device."""
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    dtype = next((tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()), torch.float32)
    image = torch.empty(1, in_channels, image_size, image_size, dtype=dtype, device="meta")
    return {name: tensor.detach().to("meta") for name, tensor in tensors.items()}, image


def run_on_meta(
    network: nn.Module, tensors: dict[str, torch.Tensor], image: torch.Tensor, hooks: list[RemovableHandle]
) -> None:
    """One pass in inference mode by what `on_meta` gives, at whose end `hooks` are removed and the network is as it
    was. ValueError if it cannot take such an image."""
    leave_compiler_unimported()  # the shapes of the meta device would import it
    try:
        with in_inference(network), torch.no_grad():
            functional_call(network, tensors, (image,))
    except RuntimeError as error:
        raise ValueError(f"the network cannot take {' x '.join(map(str, image.shape[1:]))}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def in_inference(network: nn.Module) -> Iterator[None]:
    """`network` in inference mode; afterwards each of its modules in the mode that it had."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


class _Watch:
    """Hooks that note every call, the last of a module in place of those before it."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self._before: dict[str, Point | None] = {}
        self._count: dict[str, int] = {}
        self._order = 0

    def hooks(self, path: str, module: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        enter: Callable[..., None] = lambda _, inputs: self._enter(path, inputs)  # noqa: E731
        leave: Callable[..., None] = lambda module, _, output: self._leave(path, module, output)  # noqa: E731
        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]

    def _enter(self, path: str, inputs: tuple[Any, ...]) -> None:
        self._count[path] = self._count.get(path, 0) + 1
        self._before[path] = self._point(path, INPUT, inputs[0] if len(inputs) == 1 else None)

    def _leave(self, path: str, module: nn.Module, output: Any) -> None:
        after = self._point(path, OUTPUT, output)
        if after is not None:
            self.calls[path] = Call(module, self._before[path], after)

    def _point(self, path: str, side: str, value: Any) -> Point | None:
        self._order += 1
        if not isinstance(value, torch.Tensor):
            return None
        return Point(path, side, self._count[path], self._order, tuple(value.shape[1:]))
