"""The values inside a network: what passes at named points of its forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import torch
from torch import nn

from cnnbench.archs.forward_pass import OUTPUT, Point, in_inference


class Run(Protocol):
    """Images (N, C, H, W) -> the value at each point, (N, *point.shape), by the names given to `capture`."""

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]: ...


@contextmanager
def capture(network: nn.Module, points: Mapping[str, Point]) -> Iterator[Run]:
    """A function that runs `network` on images and returns what passes at `points`; the hooks go with the context.

    The forward pass stops at the last of the points; ask for `logits` too where the whole pass is wanted. Each value is
    a tensor of its own, which layers that overwrite their input leave as it was; it stays in the graph, so that
    gradients flow to it and through it, unless the caller turns them off. The network's mode, training or not, is the
    caller's too. A module that runs more than once gives its last call.
    """
    last = max(points.values(), key=lambda point: point.order)
    watch = _Watch(last)
    hooks = [watch.hook(network.get_submodule(point.path), point) for point in set(points.values())]

    def run(images: torch.Tensor) -> dict[str, torch.Tensor]:
        watch.start()
        with suppress(_Reached):
            network(images)
        return {name: watch.values[point] for name, point in points.items()}

    try:
        yield run
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def distinct(network: nn.Module, points: Mapping[str, Point], image: torch.Tensor) -> dict[str, Point]:
    """`points` without those at which `image` (1, C, H, W), in inference mode, has the values of one before them in the
    forward pass: fc7 and, behind a dropout, what the classifier reads. Values all the same tell nothing, and stay."""
    with in_inference(network), capture(network, points) as run:
        values = {name: value.flatten() for name, value in run(image).items()}
    kept: dict[str, Point] = {}
    for name, point in sorted(points.items(), key=lambda item: item[1].order):
        value = values[name]
        told = bool((value != value[0]).any())
        if not (told and any(torch.equal(value, values[other]) for other in kept)):
            kept[name] = point
    return kept


class _Reached(Exception):
    """The last point has been reached: nothing after it is wanted."""


class _Watch:
    """The values of one pass. The pass goes on with a copy: a ReLU that overwrites does not reach what is kept."""

    def __init__(self, last: Point) -> None:
        self.last = last
        self.values: dict[Point, torch.Tensor] = {}
        self._calls: dict[Point, int] = {}

    def start(self) -> None:
        self.values, self._calls = {}, {}

    def hook(self, module: nn.Module, point: Point) -> torch.utils.hooks.RemovableHandle:
        if point.side == OUTPUT:
            return module.register_forward_hook(lambda _, inputs, output: self._keep(point, output))
        # A copy is kept here: the tensor that is read may be read by others too, which may overwrite it.
        return module.register_forward_pre_hook(lambda _, inputs: (self._keep(point, inputs[0].clone()),))

    def _keep(self, point: Point, value: Any) -> torch.Tensor:
        self._calls[point] = self._calls.get(point, 0) + 1
        self.values[point] = value
        if point == self.last and self._calls[point] == point.calls:
            raise _Reached
        return value.clone()
