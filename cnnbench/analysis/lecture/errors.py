"""Where the lecture and the papers err, each beside what can be counted or looked up now."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import torch
import yaml
from torch import nn

from cnnbench.analysis.describe.network import describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.facts import published
from cnnbench.archs.norms import batch_norms
from cnnbench.archs.registry import build


def winners() -> list[Table]:
    """The lecture's table of winning networks, row by row: errors of one network, and the rest counted."""
    rows = [
        ("AlexNet", 2012, "15.4 %", "7 networks, 2 of them pre-trained on more data", _top5("alexnet", "10 crops")),
        ("ZFNet", 2013, "11.2 %", "the Clarifai entry with extra data", _top5("zfnet", "not stated")),
        ("GoogLeNet", 2014, "6.7 %", "7 networks, 144 crops", _top5("googlenet", "single crop", "144 crops")),
        ("ResNet", 2015, "3.57 %", "6 networks, on the test set", _top5("resnet152_v1", "single crop", "10 crops")),
    ]
    columns = {
        "network": "",
        "year": "d",
        'lecture, "Top 5 Acc"': "",
        "which belongs to": "",
        "top-5 error of one network on val": "",
    }
    notes = ['the row "Top 5 Acc" holds top-5 errors, and those of competition entries, not of the networks named']
    return [Table("Winning networks", columns, rows, notes), _counted()]


# Network -> our key, its recipe, and what the slide says: layers, dropout, batch normalisation.
SLIDE = {
    "AlexNet": ("alexnet", "alexnet", 8, True, False),
    "ZFNet": ("zfnet", "zfnet", 8, True, False),
    "GoogLeNet": ("googlenet", "googlenet", 22, False, False),
    "ResNet": ("resnet152_v1", "resnet", 152, False, True),
}


def _counted() -> Table:
    rows = []
    for network, (key, recipe, layers, drops, normalises) in SLIDE.items():
        with torch.device("meta"):
            model = build(key)
        rates = ", ".join(
            f"{rate:g}" for rate in sorted({m.p for m in model.modules() if isinstance(m, nn.Dropout) and m.p})
        )
        norms = len(batch_norms(model))
        counted = weighted_depth(model, 224), bool(rates), norms > 0
        augmented = ", ".join(_augmented(recipe))
        shown = (layers, counted[0], augmented, drops, rates or "none", normalises, norms)
        rows.append((network, *shown, counted == (layers, drops, normalises)))
    columns = {
        "network": "",
        "layers, lecture": "",
        "counted": "",
        "augmentation in its recipe": "",
        "dropout, lecture": "",
        "rates": "",
        "batch norm., lecture": "",
        "layers of it": "",
        "agrees": "",
    }
    notes = [
        "counted: layers with weights on the longest way from image to classifier, without normalisation; "
        "augmentation: of conf/recipe, by its paper, and all four have some, as the slide says",
        "the slide errs of GoogLeNet: it drops 0.4 before its classifier and 0.7 in its auxiliary heads",
    ]
    return Table("The other rows of the slide, counted", columns, rows, notes)


def weighted_depth(model: nn.Module, side: int) -> int:
    """Convolutions and linear layers on the longest way through `model`, by the graph that autograd keeps of one image
    (1, 3, side, side) on the meta device, in inference mode."""
    device = next(model.parameters()).device
    output = model.eval()(torch.empty(1, 3, side, side, device=device))
    depth: dict[Any, int] = {}
    waiting = [output.grad_fn]
    while waiting:
        node = waiting[-1]
        before = [each for each, _ in node.next_functions if each is not None]
        if missing := [each for each in before if each not in depth]:
            waiting += missing
            continue
        own = node.name() in ("ConvolutionBackward0", "AddmmBackward0")
        depth[node] = own + max((depth[each] for each in before), default=0)
        waiting.pop()
    return depth[output.grad_fn]


def _augmented(recipe: str) -> list[str]:
    """What acts of the augmentations of a file in conf/recipe."""
    content = yaml.safe_load(files("cnnbench.conf").joinpath(f"recipe/{recipe}.yaml").read_text(encoding="utf-8"))
    kinds = content["augment"]
    return [f"crops ({kinds['crop']['kind']})", *(name for name, keys in kinds.items() if keys.get("p", 0) > 0)]


# What the lecture says, what papers say, and what is counted or looked up now (None: nothing is).
SLIPS: tuple[tuple[str, str, Callable[[], str] | None], ...] = (
    (
        "winners: Top 5 Acc 15.4, 11.2, 6.7, 3.57 %",
        "these are top-5 errors",
        None,
    ),
    (
        "AlexNet: 15.4 % here, 16.4 % there",
        "one network 18.2, five 16.4, seven with two pre-trained 15.4 (val) and 15.3 (test, the winning entry)",
        lambda: _top5("alexnet", "10 crops"),
    ),
    (
        "ZFNet: 11.2 %, and 16.4 to 11.7 %",
        "11.7, and 11.2 with extra data, are the Clarifai entry; the paper's best is 14.8 (six networks, test)",
        lambda: _top5("zfnet", "not stated"),
    ),
    (
        "GoogLeNet: 6.7 %",
        "seven networks with 144 crops; one network has 10.07, 9.15 and 7.89 with 1, 10 and 144 crops",
        lambda: _top5("googlenet", "single crop", "10 crops", "144 crops"),
    ),
    (
        "ResNet: 152 layers, 3.57 %",
        "an ensemble of six on the test set; 152 layers alone: 4.49 dense at several scales, 5.71 with 10 crops",
        lambda: _top5("resnet152_v1", "multi-scale dense", "10 crops", "single crop"),
    ),
    (
        "dropout: AlexNet and ZFNet only",
        "GoogLeNet drops 0.4 before its classifier and 0.7 in its auxiliary heads",
        lambda: f"rates in googlenet: {', '.join(map(str, _dropout_rates('googlenet')))}",
    ),
    (
        "150 thousand test images",
        "ILSVRC-2010; ILSVRC-2012, used everywhere here, has 100,000",
        None,
    ),
    (
        "LeNet: CONV-POOL-CONV-POOL-FC-FC",
        "three fully connected layers after the pools (C5, F6, output); pooling has trainable coefficients",
        lambda: f"fully connected layers: {_count('lenet', 'Linear')}",
    ),
    (
        "AlexNet (9 layers) on one slide",
        "8: five convolutions, three fully connected",
        lambda: f"layers with weights: {_count('alexnet', 'Conv2d', 'Linear')}",
    ),
    (
        "AlexNet's augmentation: rotation, contrast stretching, adaptive equalisation",
        "random crops, mirror images and PCA colour only",
        None,
    ),
    (
        "ReLU: f'(0) = 1",
        "no derivative at 0; implementations take 0",
        None,
    ),
    (
        "GoogLeNet: 12x less parameters than AlexNet",
        "quoted from the paper, whose own table sums to 6.8 million: 8.8x of 60 million",
        lambda: f"ratio: {_params('alexnet') / _params('googlenet'):.1f}",
    ),
    (
        "Inception v2: batch normalisation, no LRN and dropout, small kernels, factorisation",
        "two networks: BN-Inception (1502.03167) and Inception-v2 (1512.00567)",
        None,
    ),
    (
        "Inception table: GoogLeNet 29 / 9.2 among single-crop results",
        "9.2 is the 10-crop figure; a single crop gives 10.07",
        lambda: _top5("googlenet", "single crop", "10 crops"),
    ),
    (
        "ResNet 22.9, 21.8, 21.4: a percent costs nearly double the layers",
        "10 crops; the WRN slide's 24.01, 22.44, 22.16 for the same depths are single crop, other weights",
        None,
    ),
    (
        "50-layer wide ResNet outperforms 152 layers",
        "true, 21.9 against 22.16, with less time but more parameters",
        lambda: f"million parameters: {_params('wide_resnet50_2'):.1f} against {_params('resnet152'):.1f}",
    ),
    (
        "Xception 2017, DenseNet 2017",
        "years of the conference; both first posted in 2016",
        None,
    ),
    (
        "28.2 % in 2010 and 25.8 % in 2011, on AlexNet's slide",
        "the winners of those years, NEC-UIUC and XRCE: no networks; 26.2 is the second of 2012, ISI",
        None,
    ),
    (
        "50 thousand verification images",
        "validation images",
        None,
    ),
    (
        "DenseNet: alleviates vanishing gradients",
        "with batch normalisation a plain network's gradients grow towards the input: see the claim gradients",
        None,
    ),
)


def _of_the_lecture() -> Table:
    rows = [(says, papers, here and here()) for says, papers, here in SLIPS]
    return Table("The lecture", {"lecture": "", "papers": "", "here": ""}, rows, ["here: published facts, or counted"])


def errors() -> list[Table]:
    """The lecture's errors, then slips in the papers themselves."""
    return [_of_the_lecture(), _of_the_papers()]


def _of_the_papers() -> Table:
    conv1 = describe_named("googlenet").layers[0]
    rows = [
        (
            "GoogLeNet, Table 1",
            "conv1: 2.7K parameters, 34M operations",
            f"{conv1.params:,} parameters with bias, {conv1.macs:,} multiply-adds",
        ),
        (
            "BN-Inception, section 4.2",
            "13.6 million parameters",
            f"{describe_named('bn_inception').totals.params:,} by the paper's own table",
        ),
        (
            "BN-Inception, Figure 5",
            "sizes 576, 576, 1024 after 4c, 4d, 4e",
            f"{160 + 160 + 160 + 128}, {96 + 192 + 192 + 128}, {192 + 256 + 608} by the filters in the same rows",
        ),
        (
            "Inception-v2/v3, Table 3",
            "4.8 billion multiply-adds with the factorised stem",
            f"{describe_named('inception_v2').totals.macs / 1e9:.2f} billion by Table 1",
        ),
        (
            "Xception, Table 3",
            "Inception-v3 has 23,626,728 parameters",
            f"{describe_named('inception_v3').totals.params:,}",
        ),
        (
            "Inception-v4, Table 2",
            "ResNet-152 with 10 crops: 25.2 / 7.8",
            "{top1_err} / {top5_err}; printed are BN-Inception's single-crop errors".format(
                **published("resnet152_v1", protocol="10 crops")
            ),
        ),
        (
            "Inception-ResNet-v2, figures 17 and 19",
            "expansion to 1154 and 2048 channels",
            f"{384 + 768} and {1152 + 992}: a sum needs the width of its input",
        ),
        (
            "WRN, Table 9",
            "WRN-50-2-bottleneck: top-5 error 5.79",
            "{top5_err} in Table 8, where 5.79 is pre-ResNet-200's".format(
                **published("wide_resnet50_2", where="Table 8")
            ),
        ),
        (
            "DenseNet, Table 1",
            "DenseNet-264",
            f"{_count('densenet264', 'Conv2d', 'Linear')} layers with weights",
        ),
    ]
    return Table("Slips in the papers", {"paper": "", "prints": "", "here": ""}, rows)


def _top5(name: str, *protocols: str) -> str:
    """The published top-5 errors of one network on the validation set, with their protocols."""
    errors = [published(name, protocol=p, split="val", of=None, detail=None)["top5_err"] for p in protocols]
    return ", ".join(f"{error} ({p})" for error, p in zip(errors, protocols, strict=True))


def _params(name: str) -> float:
    """Millions."""
    return describe_named(name).totals.params / 1e6


def _count(name: str, *types: str) -> int:
    return sum(layer.type in types for layer in describe_named(name).layers)


def _dropout_rates(name: str) -> list[float]:
    with torch.device("meta"):
        return [module.p for module in build(name).modules() if isinstance(module, nn.Dropout)]
