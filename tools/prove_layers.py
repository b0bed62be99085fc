"""Every named layer of every network against a plain forward hook that copies: python tools/prove_layers.py [KEY ...]

Each network at its published image size, with its first weights, on two images of noise; layers one by one too, where
the pass stops early, a few of each network. All 81: about five minutes on a core, 6 GB.
"""

from __future__ import annotations

import gc
import sys
import time

import torch
from torch import nn

from cnnbench.archs.capture import capture
from cnnbench.archs.facts import facts
from cnnbench.archs.layer_names import layer_names
from cnnbench.archs.registry import build, names

ALONE = 5  # of each network


def plain_values(network: nn.Module, images: torch.Tensor) -> dict[tuple[str, str], torch.Tensor]:
    """What each module read and returned at its last call, by (path, side)."""
    values: dict[tuple[str, str], torch.Tensor] = {}

    def note(path: str, side: str, value: object) -> None:
        if isinstance(value, torch.Tensor):
            values[path, side] = value.clone()

    hooks = []
    for path, module in network.named_modules():
        hooks.append(module.register_forward_hook(lambda m, i, o, path=path: note(path, "output", o)))
        hooks.append(module.register_forward_pre_hook(lambda m, i, path=path: note(path, "input", i[0])))
    network(images)
    for hook in hooks:
        hook.remove()
    return values


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal to the last bit, and not numbers at the same places, as a thousand layers give untrained."""
    return bool(torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num()))


def prove(key: str) -> tuple[int, int]:
    """Names and points of a network whose values are all equal; ValueError for the first that is not."""
    size = facts(key)["input"]["size"]
    network = build(key, 10).eval()
    found = layer_names(network, size)
    images = torch.randn(2, 3, size, size)
    expected = plain_values(network, images)
    points = sorted(set(found.values()), key=lambda point: point.order)
    alone = points[:: max(1, len(points) // ALONE)]
    for group in (points, *([point] for point in alone)):
        with capture(network, {str(i): point for i, point in enumerate(group)}) as run:
            values = run(images)
        for i, point in enumerate(group):
            if not same(values[str(i)], expected[point.path, point.side]):
                raise ValueError(f"{key}: {point} differs")
    if not same(network.forward_features(images), expected[found["feature_map"].path, "output"]):
        raise ValueError(f"{key}: forward_features differs")
    return len(found), len(points)


def main() -> None:
    torch.manual_seed(0)
    total = [0, 0]
    for key in sys.argv[1:] or names():
        start = time.perf_counter()
        with torch.no_grad():
            counts = prove(key)
        total = [a + b for a, b in zip(total, counts, strict=True)]
        print(f"{key}: {counts[0]} names of {counts[1]} points equal, {time.perf_counter() - start:.1f} s", flush=True)
        gc.collect()
    print(f"{total[0]} names of {total[1]} points, each to the last bit")


if __name__ == "__main__":
    main()
