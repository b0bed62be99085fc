"""Networks against their authors' definitions, layer by layer in the order of computation, and the start of each layer.

The tables in originals/ were read from the files that they name: Lua and TensorFlow by running them, prototxt and
cuda-convnet's by parsing. So a pair of layers that is swapped is seen, though counts and shapes agree.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import torch
from checks import build_meta
from layer_graphs import Layer, difference, keys, layers_of, named, originals
from torch import nn

from cnnbench.archs.facts import facts
from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).with_name("originals")
# What an original has otherwise, as its table says it, what is here, and why.
SAID = {
    # 227 pixels without padding, or 224 with 2: 55 either way (alexnet.py)
    "alexnet": [
        (f"conv 96 11x11/4 bias 0 N0.01; relu; {then}", f"conv 96 11x11/4 p2 bias 0 N0.01; relu; {then}")
        for then in ("lrn", "maxpool")
    ],
    # Caffe's pooling needs no padding to give 56; a bias below BN in the first convolution of ResNet-50 alone
    "resnet50_v1": [("conv 64 7x7/2 p3 bias; ", "conv 64 7x7/2 p3; "), ("maxpool 3x3/2 ceil", "maxpool 3x3/2 p1")],
    # separable_conv2d is not in the scope that gives slim's convolutions their normalisation
    "bn_inception": [("conv 64 1x1 bias 0 T1; ", "conv 64 1x1 T1; bn; ")],
}
SECTIONS = [(file.stem, section) for file in sorted(FOLDER.glob("*.tsv")) for section in originals(file)]


@cache
def original(table: str, section: str) -> list[Layer]:
    return originals(FOLDER / f"{table}.tsv", tuple(SAID.get(section.split()[0], ())))[section]


def size_and_classes(key: str) -> tuple[int, int]:
    size = facts(key)["input"]["size"]
    return size, 10 if size == 32 else 1000


@pytest.mark.parametrize(("table", "section"), SECTIONS)
def test_a_network_is_its_authors_layer_by_layer(table, section):
    key, options = named(section)
    size, classes = size_and_classes(key)
    network = build_meta(key, classes, **options).train()
    assert difference(layers_of(network, size), original(table, section)) is None


def test_a_swapped_pair_of_layers_is_seen():
    """Counts, shapes and cost of both are the same."""
    network = build_meta("preact_resnet18").train()
    assert difference(layers_of(network, 224), original("preact_resnet", "preact_resnet18")) is None
    network.bn0, network.maxpool = network.maxpool, network.bn0
    found = difference(layers_of(network, 224), original("preact_resnet", "preact_resnet18"))
    assert found == "ours has maxpool 3x3/2 p1 as layer 2, the original bn as layer 2"


def test_the_order_of_branches_is_seen_where_they_are_concatenated():
    network = build_meta("googlenet", lrn="caffe").train()
    module = network.inception4c
    module.branch2, module.branch3 = module.branch3, module.branch2
    assert difference(layers_of(network, 224), original("classic", "googlenet {lrn: caffe}")) is not None


# Whose start is another, and why.
OTHER_STARTS = {
    "inception_v3": "torchvision's, of the authors' first code",
    "alexnet": "the paper's, of deviation 0.01 throughout; Caffe has 0.005 in fc6 and fc7",
    "resnet50_v1": "prototxt for testing, which has none",
    **dict.fromkeys(("resnet50", "preact_resnet50", "wide_resnet50_2"), "that of the smaller one of the same file"),
}


@pytest.mark.parametrize(("table", "section"), [each for each in SECTIONS if each[1].split()[0] not in OTHER_STARTS])
def test_each_layer_starts_as_its_authors(table, section):
    """By the deviation and the largest of the weights; biases, and scales of batch normalisation, by their values."""
    key, options = named(section)
    size, classes = size_and_classes(key)
    torch.manual_seed(0)
    modules = dict(build(key, classes, **options).named_modules())
    meta = build_meta(key, classes, **options).train()
    names = {module: name for name, module in meta.named_modules()}
    known: dict = {}
    ours = layers_of(meta, size)
    alike = defaultdict(list)  # layers side by side of one input that are the same but for their start
    for number, layer in zip(keys(ours, known), ours, strict=True):
        if layer.module is not None:
            alike[number].append(names[layer.module])
    theirs = original(table, section)
    checked = 0
    for number, layer in zip(keys(theirs, known), theirs, strict=True):
        if layer.starts:
            found = [name for name in alike[number] if all(starts_so(modules[name], start) for start in layer.starts)]
            assert found, f"none of {alike[number]} starts as {layer.text} {layer.starts}"
            alike[number].remove(found[0])
            checked += 1
    assert checked >= sum(isinstance(m, nn.Conv2d) for m in modules.values())


def starts_so(module: nn.Module, start: str) -> bool:
    """`start`: N and a deviation, T and that of a normal cut at two deviations, U and a limit; bias=value; uniform."""
    if start.startswith("bias="):
        return bool(((module.bias - float(start[5:])).abs() < 1e-6).all())
    if start == "uniform":  # [0, 1)
        return module.weight.min() >= 0 and module.weight.max() < 1 and module.weight.std() > 0.15
    weight, number = module.weight.detach(), float(start[1:])
    spread, largest = {"N": (1, 7), "T": (0.8796, 2), "U": (3**-0.5, 1)}[start[0]]
    near = abs(weight.std(correction=0).item() / (spread * number) - 1) < 5 / math.sqrt(2 * weight.numel()) + 0.001
    return near and weight.abs().max().item() <= largest * number * 1.001
