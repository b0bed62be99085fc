"""What units do over many images: which are dead, how many are silent, and which images each answers to most."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cnnbench.analysis.look.network import Network
from cnnbench.archs.capture import capture
from cnnbench.archs.classifiers import classifier_of
from cnnbench.archs.forward_pass import Point

IN_A_ROW = re.compile(r"(conv\d+(_\d+)?|cccp\d+|fc\d+)")
MOST = 9  # images for each unit, as in Figure 2 of Zeiler and Fergus 2014
NEAR_ZERO = 0.01  # of the largest value of the layer for the same image: below that an activation hardly counts
LOOKED_AT = "the layer that is looked at"  # no layer's name
SATURATED = 0.95  # of the same: a squashing function gives hardly more, whatever comes in
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid)


@dataclass(frozen=True)
class Activity:
    """Of one layer over all images: its units (channels of a map), those that are dead, that is give the same value at
    every place of every image, and the shares of activations that are zero, near it, and near the largest."""

    layer: str
    units: int
    dead: int
    zero: float
    near_zero: float
    saturated: float


class ActivityCount:
    """Counts of one layer, batch by batch."""

    def __init__(self) -> None:
        self.zero = self.near = self.saturated = self.total = 0
        self.low: torch.Tensor | None = None
        self.high: torch.Tensor | None = None

    def add(self, values: torch.Tensor) -> None:
        """`values` (N, C, H, W) or (N, C)."""
        flat = values.reshape(len(values), values.shape[1], -1)
        largest = flat.abs().amax((1, 2), keepdim=True)
        self.zero += int((flat == 0).sum())
        self.near += int((flat.abs() <= NEAR_ZERO * largest).sum())
        self.saturated += int((flat.abs() >= SATURATED * largest).sum())
        self.total += flat.numel()
        low, high = flat.amin((0, 2)), flat.amax((0, 2))
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)

    def result(self, layer: str) -> Activity:
        assert self.low is not None
        assert self.high is not None
        dead = int((self.low == self.high).sum())
        shares = (count / self.total for count in (self.zero, self.near, self.saturated))
        return Activity(layer, len(self.low), dead, *shares)


@dataclass(frozen=True)
class Strongest:
    """For each unit of a layer the images in which it is strongest, the strongest first: arrays (units, k).

    `values` float64; `images` int64, by their numbers; `rows`, `columns` int64: the place in the map (0 without one).
    """

    values: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True)
class Survey:
    """What was seen over many images: of every layer its activity, and of one the images that its units answer to."""

    activity: list[Activity]
    strongest: Strongest


@torch.inference_mode()
def survey(network: Network, point: Point, batches: Iterable[tuple[list[int], torch.Tensor]]) -> Survey:
    """The activity of each layer, in the order of the forward pass, and the strongest images of the units at `point`,
    over `batches` of numbers and images (N, C, H, W).

    A layer is what its name stands for in a network of layers in a row (conv4_3, fc7: after the activation); in others
    each call of an activation is one.
    """
    counts: dict[str, ActivityCount] = {}
    points, highest = named_layers(network), _Highest(point)
    calls = None if points else _ActivationCalls(network.model, counts)
    try:
        with capture(network.model, {**points, LOOKED_AT: point, "logits": network.names["logits"]}) as run:
            for numbers, images in batches:
                if calls is not None:
                    calls.start()
                found = run(images)
                highest.add(numbers, found[LOOKED_AT])
                for name in points:
                    counts.setdefault(name, ActivityCount()).add(found[name])
    finally:
        if calls is not None:
            calls.remove()
    return Survey([count.result(name) for name, count in counts.items()], highest.result())


class _Highest:
    """The largest value of each unit at `point`, and its place, image by image."""

    def __init__(self, point: Point) -> None:
        self.width = point.shape[2] if len(point.shape) == 3 else 1
        self.values: list[np.ndarray] = []
        self.places: list[np.ndarray] = []
        self.numbers: list[int] = []

    def add(self, numbers: list[int], values: torch.Tensor) -> None:
        high, place = values.reshape(len(values), values.shape[1], -1).max(2)
        self.values.append(high.double().cpu().numpy())
        self.places.append(place.cpu().numpy())
        self.numbers += numbers

    def result(self) -> Strongest:
        """The MOST images of each unit; each image counts once. Of equals the earlier one stands first."""
        values, places = np.concatenate(self.values).T, np.concatenate(self.places).T
        order = np.argsort(-values, axis=1, kind="stable")[:, :MOST]
        at = np.take_along_axis(places, order, 1)
        best = np.take_along_axis(values, order, 1)
        return Strongest(best, np.array(self.numbers, np.int64)[order], at // self.width, at % self.width)


def named_layers(network: Network) -> dict[str, Point]:
    """The layers of `layers_in_a_row` that end in an activation: all but the last."""
    layers = layers_in_a_row(network)
    return {name: point for name, point in layers.items() if point.path != classifier_of(network.model)}


def layers_in_a_row(network: Network) -> dict[str, Point]:
    """The layers with weights by the names of networks in a row, after their activation; none in other networks."""
    modules = dict(network.model.named_modules())
    found = {name: point for name, point in network.names.items() if IN_A_ROW.fullmatch(name) and name not in modules}
    return found if {"conv1", "conv1_1"} & set(found) else {}


class _ActivationCalls:
    """Hooks that count what activations give, each call of a module on its own."""

    def __init__(self, model: nn.Module, counts: dict[str, ActivityCount]) -> None:
        self.counts, self._calls = counts, dict[str, int]()
        self._hooks = [
            module.register_forward_hook(self._hook(name))
            for name, module in model.named_modules()
            if isinstance(module, ACTIVATIONS)
        ]

    def _hook(self, name: str):
        def count(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            call = self._calls[name] = self._calls.get(name, 0) + 1
            self.counts.setdefault(name if call == 1 else f"{name} ({call})", ActivityCount()).add(output)

        return count

    def start(self) -> None:
        """Another forward pass begins."""
        self._calls.clear()

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()
