"""Claims about modules: Network in Network, the inception module's branches, Xception's figures, Wide ResNet's "
"blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnbench.analysis.describe.network import describe, describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, headline
from cnnbench.archs.googlenet import TABLE_1

# Branch -> kernel and padding of its last layer; its column in TABLE_1 and that of its reduction (None: none).
BRANCHES: tuple[tuple[str, int, int, int, int | None], ...] = (
    ("1x1", 1, 0, 1, None),
    ("3x3", 3, 1, 3, 2),
    ("5x5", 5, 2, 5, 4),
    ("max pool 3x3 / 1", 3, 1, 6, None),
)


def nin() -> list[Table]:
    """Network in Network beside AlexNet: layers, parameters, and where they lie."""
    rows = []
    for name in ("alexnet", "nin", "cifar_nin"):
        described, result = describe_named(name), headline(facts(name))
        convs = [layer for layer in described.layers if layer.type == "Conv2d"]
        points = sum(layer.kernel == (1, 1) for layer in convs)
        dense = sum(layer.params for layer in described.layers if layer.type == "Linear")
        error = result["top1_err"] if result else None
        totals = described.totals
        rows.append((name, len(convs), points, totals.params / 1e6, dense / 1e6, totals.macs / 1e9, error))
    columns = {
        "network": "",
        "convolutions": "",
        "of them 1x1": "",
        "params (M)": ".2f",
        "fully connected (M)": ".2f",
        "MACs (G)": ".2f",
        "published top-1 error (%)": ".2f",
    }
    notes = [
        "lecture, under GoogLeNet: a good local network (NIN), stacked. Lin et al. 2014: each convolution is followed "
        "by 1x1 convolutions, a small network at each pixel, and the last maps are averaged: no fully connected layer",
        "alexnet and nin on ILSVRC, cifar_nin on CIFAR-10 with augmentation; nin's error is of its authors' Caffe "
        "model",
    ]
    return [Table("Network in Network", columns, rows, notes)]


def inception_branches(map_side: int = 28) -> list[Table]:
    """The branches of module 3a side by side, without and with reductions, on a map of `map_side` pixels."""
    rows: list[tuple[Any, ...]] = []
    for naive in (True, False):
        kind, total = "naive" if naive else "reduced", [0, 0, 0.0]
        for name, kernel, padding, out, reduction in BRANCHES:
            layers, channels = _branch(name, naive, out, reduction)
            described = describe(layers, map_side, TABLE_1["3a"][0])
            last, totals = described.layers[-1], described.totals
            field = "x".join(map(str, last.receptive_field))
            size = (last.output[-1], channels, field, totals.params, totals.macs / 1e6)
            rows.append((kind, name, kernel, padding, *size))
            total = [total[0] + channels, total[1] + totals.params, total[2] + totals.macs / 1e6]
        rows.append(
            ("naive" if naive else "reduced", "concatenated", None, None, map_side, total[0], "5x5", *total[1:])
        )
    columns = {
        "module 3a": "",
        "branch": "",
        "K": "",
        "P": "",
        "output side": "",
        "channels": "",
        "field": "",
        "weights": "",
        "MACs (M)": ".1f",
    }
    notes = [
        "lecture: different receptive fields; the same feature dimension, by (N + 2P - K) / S + 1 with P = (K - 1) / 2 "
        "and S = 1, so that the maps can be concatenated; the pooling branch has stride 1",
        "naive: the pooling branch passes all 192 channels on, so that each module is wider than the one before. "
        "Reduced: 1x1 before 3x3 and 5x5, and after the pooling. Weights without bias",
    ]
    return [Table("The inception module, branch by branch", columns, rows, notes), _pool_branch()]


def _branch(name: str, naive: bool, out: int, reduction: int | None) -> tuple[nn.Sequential, int]:
    """A branch of module 3a, and the channels that it gives."""
    widths = TABLE_1["3a"]
    channels = widths[0]
    layers: list[nn.Module] = []
    with torch.device("meta"):
        if name.startswith("max"):
            layers = [nn.MaxPool2d(3, stride=1, padding=1)]
            layers += [] if naive else [nn.Conv2d(channels, widths[out], 1, bias=False)]
            return nn.Sequential(*layers), channels if naive else widths[out]
        if reduction is not None and not naive:
            layers = [nn.Conv2d(channels, widths[reduction], 1, bias=False)]
            channels = widths[reduction]
        kernel = int(name[0])
        layers.append(nn.Conv2d(channels, widths[out], kernel, padding=kernel // 2, bias=False))
    return nn.Sequential(*layers), widths[out]


def _pool_branch() -> Table:
    rows = []
    for what, options in (("as in the paper", {}), ("without pool branches", {"pool_branch": False})):
        totals = describe_named("googlenet", **options).totals
        rows.append((what, 1024 - 128 * bool(options), totals.params, totals.macs / 1e9))
    notes = [
        'lecture: "the effectiveness of pooling". GoogLeNet paper, section 4: pooling has been essential for the '
        "success of "
        "convolutional networks, so a parallel pooling path should help: no figure is given",
        "to train: cnnbench train ladder=googlenet step=without_pool data=/imagenet",
    ]
    return Table(
        "GoogLeNet without its pool branches",
        {"modules": "", "last maps": "", "params": "", "MACs (G)": ".2f"},
        rows,
        notes,
    )


XCEPTION_FORMS = ("1x1, then 3x3 in three groups (Figure 3)", "1x1, then one 3x3 for each channel (Figure 4)")


def xception_figures(channels: int = 24, map_side: int = 19) -> list[Table]:
    """Figures 2 to 4 of the Xception paper as functions of the same weights: largest differences, weights and cost."""
    if channels % 3:
        raise ValueError(f"channels={channels} cannot be split into three towers: choose a multiple of 3")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        x = torch.randn(2, channels, map_side, map_side, dtype=torch.float64)
        point = nn.Conv2d(channels, channels, 1, bias=False).double()
        forms = {groups: _grouped(channels, groups) for groups in (3, channels)}
        rows: list[tuple[Any, ...]] = [
            _form("one full 3x3", nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels, None)
        ]
        for (groups, form), name in zip(forms.items(), XCEPTION_FORMS, strict=True):
            separate = torch.cat([tower(x) for tower in towers(form, point, groups)], 1)
            difference = (form(point(x)) - separate).abs().max().item()
            rows.append(_form(name, nn.Sequential(point, form), channels, difference))
    columns = {"form": "", "weights": "", "MACs on 19x19 (M)": ".2f", "largest difference from towers": ".1e"}
    notes = [
        "lecture: a simplified Inception module, 1x1 convolutions each followed by a 3x3 (Figure 2), is one large 1x1 "
        "whose output is split into groups (Figure 3); with one group for each channel it is the extreme form (Figure "
        "4)",
        f"{channels} channels in and out, the same weights, float64. At c channels: 9c² weights full, c² + 9c "
        f"separable, {9 * 728**2 / (728**2 + 9 * 728):.1f} times fewer at 728",
        "Xception itself has the depthwise convolution first, and nothing between the two: a ReLU there is worse "
        "(section 4.7): cnnbench train ladder=xception step=relu_between data=/imagenet",
    ]
    return [Table("From Inception to Xception", columns, rows, notes)]


def _grouped(channels: int, groups: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False).double()


def towers(form: nn.Conv2d, point: nn.Conv2d, groups: int) -> list[nn.Sequential]:
    """Separate towers with the weights of `form` after `point`: a 1x1 and a 3x3 convolution of their own."""
    width = form.out_channels // groups
    found = []
    for own, shared in zip(point.weight.chunk(groups), form.weight.chunk(groups), strict=True):
        first = nn.Conv2d(form.in_channels, width, 1, bias=False)
        second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        first.weight, second.weight = nn.Parameter(own.clone()), nn.Parameter(shared.clone())
        found.append(nn.Sequential(first, second))
    return found


def _form(name: str, layers: nn.Module, channels: int, difference: float | None) -> tuple[Any, ...]:
    totals = describe(layers, 19, channels).totals
    return name, totals.params, totals.macs / 1e6, difference


# WRN paper, Table 2: block, kernels, depth, parameters (millions), error on CIFAR-10 (percent, median of 5 runs).
WIDE_BLOCKS = (
    ("B(1,3,1)", [1, 3, 1], 40, 1.4, 6.06),
    ("B(3,1)", [3, 1], 40, 1.2, 5.78),
    ("B(1,3)", [1, 3], 40, 1.3, 6.42),
    ("B(3,1,1)", [3, 1, 1], 40, 1.3, 5.86),
    ("B(3,3)", [3, 3], 28, 1.5, 5.73),
    ("B(3,1,3)", [3, 1, 3], 22, 1.1, 5.78),
)
# WRN paper, Table 4: network, parameters (millions), error on CIFAR-10.
WIDER = (
    ("wrn40_1", 0.6, 6.85),
    ("wrn40_2", 2.2, 5.33),
    ("wrn40_4", 8.9, 4.97),
    ("wrn16_4", 2.75, 5.24),
    ("wrn28_10", 36.5, 4.17),
)


def wide_blocks() -> list[Table]:
    """The blocks of Table 2 and the widths of Table 4, with parameters counted."""
    rows = []
    for block, kernels, depth, printed, error in WIDE_BLOCKS:
        n = (depth - 4) // 6
        described = describe_named("wrn40_2", kernels=tuple(kernels), depths=(n, n, n))
        rows.append((block, depth, n, printed, described.totals.params / 1e6, described.totals.macs / 1e9, error))
    columns = {
        "block": "",
        "depth": "",
        "blocks in a stage": "",
        "params (M), paper": ".1f",
        "counted (M)": ".2f",
        "MACs (G)": ".2f",
        "published error (%)": ".2f",
    }
    notes = [
        "lecture: more convolutional layers per block, and more feature planes. WRN-d-2 on CIFAR-10 (WRN paper, Table "
        "2): two 3x3 are as good as any, and three or four in a block (Table 3) are worse",
        "to train: cnnbench train arch=wrn40_2 arch.options.kernels=[3,1,3] data=FOLDER",
    ]
    widths = [
        (n, printed, describe_named(n).totals.params / 1e6, describe_named(n).totals.macs / 1e9, e)
        for n, printed, e in WIDER
    ]
    title = "Width (WRN paper, Table 4)"
    heads = {
        "network": "",
        "params (M), paper": ".2f",
        "counted (M)": ".2f",
        "MACs (G)": ".2f",
        "published error (%)": ".2f",
    }
    note = ["lecture: residuals are important, not depth: 16 layers, 4 times as wide, are better than 40 of width 1"]
    return [Table("Blocks of Wide ResNet", columns, rows, notes), Table(title, heads, widths, note)]
