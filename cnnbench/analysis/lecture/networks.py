"""Claims that compare two networks: GoogLeNet and AlexNet, plain and residual, ResNet and ResNeXt."""

from __future__ import annotations

from cnnbench.analysis.describe.network import Description, describe_named
from cnnbench.analysis.lecture import trained
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import facts, headline, published


def googlenet_alexnet() -> list[Table]:
    """How many times fewer parameters GoogLeNet has than AlexNet, in every reading, beside the quoted 12."""
    alexnet, googlenet = describe_named("alexnet"), describe_named("googlenet")
    alexnet_tv, googlenet_tv = describe_named("alexnet_tv").totals, describe_named("googlenet_tv").totals
    classifier = sum(layer.params for layer in googlenet.layers if layer.type == "Linear")
    a, g = alexnet.totals, googlenet.totals
    pairs = [
        ("as the papers describe them", a.params, g.params),
        ("... GoogLeNet without its classifier", a.params, g.params - classifier),
        ("... GoogLeNet with its auxiliary heads", a.params, g.params_with_aux),
        ("torchvision's twins", alexnet_tv.params, googlenet_tv.params),
        ("papers' own numbers: 60 and 6.8 million", 60_000_000, 6_800_000),
    ]
    rows = [(what, many, few, many / few, 12) for what, many, few in pairs]
    columns = {"parameters": "", "AlexNet": "", "GoogLeNet": "", "ratio": ".1f", "quoted": ""}
    dense = sum(layer.params for layer in alexnet.layers if layer.type == "Linear")
    notes = [
        "lecture and GoogLeNet paper: 12x fewer parameters. No reading gives 12",
        f"{100 * dense / a.params:.1f} % of AlexNet's parameters are in its three fully connected layers; GoogLeNet "
        "averages the last map instead",
        f"fewer parameters, more arithmetic: {g.macs / 1e9:.2f} against {a.macs / 1e9:.2f} x 10^9 multiply-adds, "
        f"{g.macs / a.macs:.1f} times as many",
    ]
    return [Table("GoogLeNet against AlexNet", columns, rows, notes)]


def plain_residual() -> list[Table]:
    """The slide's networks, for CIFAR-10 of 20 and 56 layers; those of ILSVRC; and networks without their shortcuts."""
    removed = [_without_shortcuts("resnet50", 23.9), _without_shortcuts("resnext50_32x4d", 22.2)]
    title = "Shortcuts removed (ResNeXt paper, single crop, top-1 error in percent)"
    columns = {"network": "", "with": ".1f", "without": ".1f", "rise": ".1f"}
    return [_of_cifar(), trained.plain_residual(), _of_ilsvrc(), Table(title, columns, removed)]


def _of_cifar() -> Table:
    rows = []
    for kind in ("plain", "resnet"):
        for depth in (20, 32, 44, 56):
            totals, result = describe_named(f"{kind}{depth}").totals, headline(facts(f"{kind}{depth}"))
            rows.append((f"{kind}{depth}", totals.params, totals.macs / 1e6, result["top1_err"] if result else None))
    columns = {"network": "", "params": "", "MACs (M)": ".1f", "published test error, CIFAR-10 (%)": ".2f"}
    notes = [
        "lecture: the deeper plain network is worse in training AND in test (the slide's figure: 20 and 56 layers on "
        "CIFAR-10): worse, but not by overfitting",
        "ResNet paper, Table 6; of plain networks it draws curves only (Figures 1 and 6)",
    ]
    return Table("Plain against residual, CIFAR-10", columns, rows, notes)


def _of_ilsvrc() -> Table:
    rows, errors = [], {}
    for depth in (18, 34):
        for kind in ("plain", "resnet"):
            options = {"shortcut": "A"} if kind == "resnet" else {}
            totals = describe_named(f"{kind}{depth}", **options).totals
            of = f"resnet{depth} with option A shortcuts" if kind == "resnet" else None
            errors[kind, depth] = published(f"{kind}{depth}", protocol="10 crops", of=of)["top1_err"]
            rows.append((f"{kind}{depth}", totals.params, totals.macs / 1e9, errors[kind, depth]))
    columns = {"network": "", "params": "", "MACs (G)": ".2f", "published top-1 error (%)": ".2f"}
    change = {kind: errors[kind, 34] - errors[kind, 18] for kind in ("plain", "resnet")}
    notes = [
        f"from 18 to 34 layers: plain {change['plain']:+.2f} points, residual {change['resnet']:+.2f} "
        "(ResNet paper, Table 2, 10 crops)",
        "shortcuts of option A have no parameters, so both networks of a depth are equally large",
    ]
    return Table("Plain against residual, ILSVRC", columns, rows, notes)


def _without_shortcuts(name: str, error: float) -> tuple:
    without = published(name, of=f"{name} without shortcuts")["top1_err"]
    return name, error, without, without - error


# Stage of the paper's table -> the first part of the names of its layers.
STAGES = {
    "conv1": ("conv1", "bn1"),
    "conv2": ("layer1",),
    "conv3": ("layer2",),
    "conv4": ("layer3",),
    "conv5": ("layer4",),
    "classifier": ("fc",),
}


def resnet_resnext() -> list[Table]:
    """Parameters and multiply-adds of both networks by stage, and the paper's totals."""
    networks = [describe_named("resnet50"), describe_named("resnext50_32x4d")]
    rows = [(stage, *_stage(networks, parts)) for stage, parts in STAGES.items()]
    largest = max(abs(ratio - 1) for row in rows for ratio in (row[3], row[6]))
    a, b = (network.totals for network in networks)
    rows.append(("all", a.params, b.params, b.params / a.params, a.macs / 1e6, b.macs / 1e6, b.macs / a.macs))
    rows.append(("the paper's table", 25_500_000, 25_000_000, 25.0 / 25.5, 4100.0, 4200.0, 4.2 / 4.1))
    columns = {
        "stage": "",
        "params, ResNet-50": "",
        "params, ResNeXt-50 (32x4d)": "",
        "ratio": ".3f",
        "MACs (M), ResNet-50": ",.0f",
        "MACs (M), ResNeXt-50 (32x4d)": ",.0f",
        "ratio of MACs": ".3f",
    }
    r, x = 256 * 64 + 9 * 64 * 64 + 64 * 256, 256 * 128 + 32 * (9 * 4 * 4) + 128 * 256
    notes = [
        f"lecture: similar complexity. Holds: no stage differs by more than {largest:.0%}",
        f"one block of conv2, without normalisation: {r:,} and {x:,} weights (paper: about 70k each)",
        f"single-crop top-1 error in the paper: 23.9 and {published('resnext50_32x4d', of=None)['top1_err']}",
        '"FLOPs" in the lecture and the paper are multiply-adds',
    ]
    return [Table("ResNet-50 against ResNeXt-50", columns, rows, notes)]


def _stage(networks: list[Description], parts: tuple[str, ...]) -> tuple:
    layers = [[x for x in network.layers if x.name.split(".")[0] in parts] for network in networks]
    (p, q), (m, n) = ([sum(getattr(x, what) for x in group) for group in layers] for what in ("params", "macs"))
    return p, q, q / p, m / 1e6, n / 1e6, n / m
