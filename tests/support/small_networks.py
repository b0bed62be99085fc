"""Small networks with weights by a formula, the same on every machine, for the pictures of what a network sees."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from cnnbench.analysis.look.network import Network, network_of
from cnnbench.archs.registry import build

SIDES = {"lenet": 32, "alexnet": 63, "zfnet": 80, "vgg11": 32, "resnet20": 32, "googlenet": 79, "densenet121": 64}
NARROW = 40
SIZED = ("lenet", "alexnet", "zfnet", "vgg11", "googlenet")  # whose classifier is as wide as the last map


def waves(count: int, start: float = 0.0) -> torch.Tensor:
    """`count` numbers between -1 and 1 without a pattern that a layer could follow, float32."""
    places = torch.arange(count, dtype=torch.float64) + start
    return torch.sin(places * places * 0.7310 + places * 12.9898).float()


@cache
def small_network(name: str, classes: int = 10) -> Network:
    """The network `name` with weights of the usual size, and statistics that are no identity; its hidden layers of
    4,096 are narrow, which saves most of the time. All tests have the same one: nothing may change it."""
    sized = {"image_size": SIDES[name]} if name in SIZED else {}
    with torch.device("meta"):
        model = build(name, classes, **sized)
        if isinstance(classifier := getattr(model, "classifier", None), nn.Sequential):
            wide = [number for number, layer in enumerate(classifier) if isinstance(layer, nn.Linear)]
            sizes = [classifier[wide[0]].in_features, *[NARROW] * (len(wide) - 1), classes]
            for number, before, after in zip(wide, sizes, sizes[1:], strict=False):
                classifier[number] = nn.Linear(before, after)
    model = model.to_empty(device="cpu")
    for number, (key, weight) in enumerate([*model.named_parameters(), *model.named_buffers()]):
        if weight.is_floating_point():
            weight.data.copy_(_filled(key, weight, number))
    return network_of(name, model, SIDES[name], 3)


def _filled(key: str, weight: torch.Tensor, number: int) -> torch.Tensor:
    values = waves(weight.numel(), number).view(weight.shape)
    if weight.dim() > 1:
        return values * (4 / weight[0].numel()) ** 0.5  # of variance 2 / fan-in, which ReLU keeps
    if key.endswith("running_var") or (key.endswith("weight") and weight.dim() == 1):
        return 1 + 0.3 * values
    return 0.1 * values


def small_images(name: str, count: int = 1) -> torch.Tensor:
    """Normalised images (count, 3, H, W) for the network `name`."""
    side = SIDES[name]
    return 1.5 * waves(count * 3 * side * side, 0.5).view(count, 3, side, side)
