"""A network that is looked at: its layers by name, and what passes at them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import OUTPUT, Point
from cnnbench.archs.layer_names import Names, find_layer, layer_names
from cnnbench.runtime.errors import UserError

IN_PAPERS = re.compile(r"(conv\d+(_\d+)?|(cccp|fc|pool|norm)\d+|mixed_\w+)")

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class Network:
    """`model` is in evaluation mode and its weights ask for no gradients; `names` are those of its layers; `key`: what
    messages call it."""

    key: str
    model: nn.Module
    names: Names

    @property
    def last_map(self) -> Point:
        """The last map before pooling: where people look for what a network sees."""
        pooled: set[Point] = set()
        maps: list[Point] = []
        before: Point | None = None
        for point in sorted(set(self.names.values()), key=lambda point: point.order):
            if isinstance(self.model.get_submodule(point.path), POOLS) and point.side == OUTPUT:
                pooled.add(point)
            elif before in pooled and point.order == before.order + 1 and point.shape == before.shape:
                pooled.add(point)  # of a sequence that ends in a pooling, or what the next layer reads
            elif is_map(point):
                maps.append(point)
            before = point
        return maps[-1]

    def called(self, point: Point) -> str:
        """The name that papers use for `point`, else its path."""
        names = (name for name, other in self.names.items() if other == point and IN_PAPERS.fullmatch(name))
        return next(names, str(point))

    def find(self, name: str) -> Point:
        """The layer called `name`; UserError with the nearest names if there is none."""
        return find_layer(self.names, name)


def network_of(key: str, model: nn.Module, image_size: int, in_channels: int) -> Network:
    """`model`, put into evaluation mode and without gradients for its weights, with its names for such images."""
    names = layer_names(model, image_size, in_channels)
    return Network(key, model.eval().requires_grad_(False), names)


def logits_and_values(network: Network, images: torch.Tensor, point: Point) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits (N, classes) for `images` (N, C, H, W), and what passes at `point`, both with their graph."""
    with capture(network.model, {"layer": point, "logits": network.names["logits"]}) as run:
        found = run(images)
    return found["logits"], found["layer"]


def is_map(point: Point) -> bool:
    """Whether maps with more than one place pass at `point`."""
    return len(point.shape) == 3 and point.shape[1:] != (1, 1)


def require_map(network: Network, point: Point, what: str) -> None:
    """UserError unless maps pass at `point`."""
    if not is_map(point):
        shape = " x ".join(map(str, point.shape))
        raise UserError(
            f"{what} needs a layer with maps, and {network.called(point)} gives {shape}: the last with maps is "
            f"{network.called(network.last_map)}"
        )


def require_unit(network: Network, point: Point, unit: int) -> None:
    """UserError unless there is a channel `unit` at `point`."""
    if unit >= point.shape[0]:
        raise UserError(
            f"unit={unit} is out of range: {network.called(point)} has {point.shape[0]} channels, from 0 on"
        )
