"""Claims about filters: stacks of small ones, receptive fields, output sizes, 1x1 reductions."""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.analysis.describe.network import describe, describe_named
from cnnbench.analysis.tables import Table

# Kernels (height, width) of a stack of convolutions with stride 1, and what the stack is compared with.
STACKS = {
    "one 3x3": [(3, 3)],
    "1x3, 3x1": [(1, 3), (3, 1)],
    "one 5x5": [(5, 5)],
    "two 3x3": [(3, 3)] * 2,
    "one 7x7": [(7, 7)],
    "three 3x3": [(3, 3)] * 3,
    "1x7, 7x1": [(1, 7), (7, 1)],
}
SINGLE = {
    "1x3, 3x1": "one 3x3",
    "two 3x3": "one 5x5",
    "three 3x3": "one 7x7",
    "1x7, 7x1": "one 7x7",
}


def small_filters(channels: int | None = None) -> list[Table]:
    """Field, non-linearities and weights of stacks of convolutions without bias, `channels` in and out; None: 64, and
    256."""
    widths = (64, 256) if channels is None else (channels,)
    described = {name: [_stack(kernels, width) for width in widths] for name, kernels in STACKS.items()}
    rows = []
    for name, stacks in described.items():
        small = stacks[0]
        single = described[SINGLE[name]][0] if name in SINGLE else None
        rows.append(
            (
                name,
                "x".join(map(str, small.layers[-1].receptive_field)),
                len(STACKS[name]),
                small.totals.params // widths[0] ** 2,
                *(stack.totals.params for stack in stacks),
                SINGLE.get(name),
                100 * (single.totals.params / small.totals.params - 1) if single else None,
            )
        )
    columns = {
        "convolutions": "",
        "field": "",
        "ReLUs": "",
        "weights / C²": "",
        **{f"weights, C = {width}": "" for width in widths},
        "against": "",
        "and its extra weights (%)": ".0f",
    }
    notes = [
        "lecture: two 3x3 = one 5x5, three 3x3 = one 7x7, with fewer parameters and more non-linearity",
        "VGG paper (section 2.3): one 7x7 has 81 % more weights than three 3x3",
        "Inception-v2/v3 paper (section 3.2): 3x1 after 1x3 is 33 % cheaper than 3x3, that is, 3x3 has 50 % more",
        "equal is the field, not the function: a stack is a restricted form of the large filter",
    ]
    return [Table("Small filters", columns, rows, notes)]


def _stack(kernels: list[tuple[int, int]], channels: int):
    with torch.device("meta"):
        layers = [nn.Conv2d(channels, channels, (h, w), padding=(h // 2, w // 2), bias=False) for h, w in kernels]
    return describe(nn.Sequential(*layers), 16, channels)


FIELD_NETWORKS = (
    "alexnet",
    "zfnet",
    "vgg16",
    "vgg19",
    "googlenet",
    "inception_v3",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet50_v1",
    "resnet101",
    "resnet152",
    "densenet121",
)


def receptive_field(names: tuple[str, ...] = FIELD_NETWORKS) -> list[Table]:
    """The receptive field of the last map of each network, before the classifier's pooling."""
    found = [last_field(name) for name in names]
    rows = [(name, layer, field, jump, size, field / size) for name, layer, field, jump, size in found]
    columns = {"network": "", "layer": "", "field": "", "jump": "", "image": "", "field / image": ".2f"}
    notes = [
        "lecture: the region of the input that affects a feature. At each layer: field + (kernel - 1) x jump, "
        "and jump x stride; after a join the largest",
        "side in pixels; layer: output of the widest branch. Theoretical: what is seen strongly is smaller",
        "stride in the 3x3 (resnet50) instead of the first 1x1 (resnet50_v1) shrinks the field",
    ]
    return [Table("Receptive field of the last map", columns, rows, notes)]


def last_field(name: str) -> tuple[str, str, int, int, int]:
    """Of the network's last map: its name, its shape, the field and the jump of one unit, and the side of the image."""
    description = describe_named(name)
    maps = [layer for layer in description.layers if layer.jump[0] and layer.output[-1] > 1]
    last = max(maps, key=lambda layer: layer.receptive_field[0])
    shape = "x".join(map(str, last.output))
    return name, shape, last.receptive_field[0], int(last.jump[0]), description.image_size


# What is computed, N, K, S, P, rounded up, and the side that the paper prints.
OUTPUT_SIZES = (
    ("LeNet-5 C1", 32, 5, 1, 0, False, 28),
    ("AlexNet conv1 as the text says", 224, 11, 4, 0, False, 55),
    ("AlexNet conv1 on 227", 227, 11, 4, 0, False, 55),
    ("AlexNet conv1 with padding", 224, 11, 4, 2, False, 55),
    ("AlexNet pool1", 55, 3, 2, 0, False, 27),
    ("ZFNet conv1", 224, 7, 2, 1, False, 110),
    ("GoogLeNet pool1", 112, 3, 2, 0, True, 56),
    ("ResNet conv1", 224, 7, 2, 3, False, 112),
    ("Inception-v3 first convolution", 299, 3, 2, 0, False, 149),
)


def output_sizes() -> list[Table]:
    """The formula beside what a layer really gives and what the paper prints."""
    rows = []
    for what, n, k, s, p, up, printed in OUTPUT_SIZES:
        pool = nn.MaxPool2d(k, s, p, ceil_mode=up)  # sizes of convolutions and pooling follow the same rule
        out = pool(torch.empty(1, 1, n, n, device="meta")).shape[-1]
        rows.append((what, n, k, s, p, (n + 2 * p - k) / s + 1, out, printed, out == printed))
    columns = {
        "layer": "",
        "N": "",
        "K": "",
        "S": "",
        "P": "",
        "formula": ".2f",
        "layer gives": "",
        "paper prints": "",
        "agree": "",
    }
    notes = [
        "lecture: output size = (N + 2P - K) / S + 1, without the rounding: down, but up in GoogLeNet's pools",
        "AlexNet: 224 without padding gives 54, so either 227 or padding 2 is meant",
    ]
    return [Table("Output size", columns, rows, notes)]


def reduction(map_side: int = 28) -> list[Table]:
    """1x1 convolutions before a larger one: weights without bias, multiply-adds on a map of `map_side` pixels."""
    with torch.device("meta"):
        direct = nn.Conv2d(128, 256, 5, padding=2, bias=False)
        reduced = nn.Sequential(nn.Conv2d(128, 32, 1, bias=False), nn.Conv2d(32, 256, 5, padding=2, bias=False))
        example = nn.Conv2d(64, 32, 1, bias=False)
    columns = {"layers": "", "output": "", "lecture": "", "weights": "", "MACs (M)": ",.1f", "ratio": ".2f"}
    rows = []
    for name, model, formula, channels, side in (
        ("5x5 on 128 channels", direct, "128x5x5x256", 128, map_side),
        ("1x1 to 32 channels, then 5x5", reduced, "128x1x1x32 + 32x5x5x256", 128, map_side),
        ("1x1 on 64 channels", example, "56x56x64 to 56x56x32", 64, 56),
    ):
        description = describe(model, side, channels)
        weights = description.totals.params
        output = "x".join(map(str, description.layers[-1].output))
        ratio = direct.weight.numel() / weights if model is reduced else None
        rows.append((name, output, formula, weights, description.totals.macs / 1e6, ratio))
    note = "lecture: the spatial size stays, the depth shrinks; the ratio is the same for weights and multiply-adds"
    return [Table("1x1 reduction", columns, rows, [note]), _module_3a()]


def _module_3a() -> Table:
    """GoogLeNet's first module with and without its reductions (GoogLeNet paper, Table 1 and Figure 2)."""
    with torch.device("meta"):
        naive = [nn.Conv2d(192, 64, 1), nn.Conv2d(192, 128, 3), nn.Conv2d(192, 32, 5)]
        reduced = [
            nn.Conv2d(192, 64, 1),
            nn.Conv2d(192, 96, 1),
            nn.Conv2d(96, 128, 3),
            nn.Conv2d(192, 16, 1),
            nn.Conv2d(16, 32, 5),
            nn.Conv2d(192, 32, 1),
        ]
    rows = [
        ("naive: the pooling branch passes 192 channels", 64 + 128 + 32 + 192, _weights(naive)),
        ("with 1x1 reductions and projection", 64 + 128 + 32 + 32, _weights(reduced)),
    ]
    columns = {"inception 3a": "", "output channels": "", "weights": ""}
    return Table("Inception module 3a on 192 channels", columns, rows, ["the paper's Table 1 prints 159K for 3a"])


def _weights(layers: list[nn.Conv2d]) -> int:
    return sum(layer.weight.numel() for layer in layers)
