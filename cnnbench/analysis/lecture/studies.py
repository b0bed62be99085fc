"""The lecture's claims that need training: their commands on the sample and on ILSVRC, and what came of the first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TRAINED = Path(__file__).parent / "trained.json"
QUICK = ("arch=lenet", "recipe=quick", "data=sample", "data.train_fraction=0.2")
PLAIN = ("data=sample", "image_size=16", "data.train_fraction=0.2", "batch=64")
# In so few steps SGD leaves AlexNet and VGG, with dropout and without batch normalisation, where guessing is.
ADAM = ("optimizer=adamw", "batch=40")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Study:
    """`words`: of `cnnbench train` that all forms have; `forms`: a name and the words that make each; `ilsvrc`: the
    command of its form for ILSVRC; `published`: what the paper or the lecture says of it; `here`: what the sample shows
    of that, and what it cannot show."""

    title: str
    words: tuple[str, ...]
    forms: dict[str, tuple[str, ...]]
    ilsvrc: str
    published: str
    here: str
    seeds: tuple[int, ...] = SEEDS


def _rated(activation: str, lr: float) -> tuple[str, ...]:
    return f"arch.options.activation={activation}", f"optimizer.lr={lr}"


# The largest rate at which each still trains is among them, and the fastest is neither the lowest nor the highest.
RATES = {"relu": (0.03, 0.1, 0.3), "tanh": (0.1, 0.3, 1.0), "sigmoid": (0.3, 1.0, 3.0)}

RATES_OF_BN = (0.01, 0.05, 0.3)  # GoogLeNet's own, 5 and 30 times as much

# The five augmentations of the lecture's slide; contrast and equalisation as augment=lecture has them.
AUGMENTATIONS = {
    "none": ("augment=none",),
    "rotate": ("augment=none", "augment.rotate.p=1", "augment.rotate.degrees=15"),
    "flip": ("augment=none", "augment.flip.p=0.5"),
    "shift": ("augment=none", "augment.shift.p=1", "augment.shift.fraction=0.1"),
    "contrast": ("augment=none", "augment.contrast.p=0.5"),
    "equalize": ("augment=none", "augment.equalize.p=0.5"),
    "all": ("augment=lecture",),
}

STUDIES = {
    "activation": Study(
        "ReLU against saturating activations: epochs to 25 % training error",
        (*QUICK, "augment=none", "schedule=constant", "optimizer.weight_decay=0", "epochs=12"),
        {f"{activation} at {lr}": _rated(activation, lr) for activation, rates in RATES.items() for lr in rates},
        "cnnbench train ladder=alexnet step=tanh data=/imagenet",
        "AlexNet paper, Figure 1: a network of four layers on CIFAR-10 reaches 25 % training error six times faster "
        "with ReLU than with tanh, each at the rate that is fastest for it, without regularisation",
        "tanh is the faster one, about twice: five layers are few, and LeNet's start, of deviation 1 / sqrt(fan-in), "
        "is made for it. The paper's factor is not seen at this size; the sigmoid, flat at its start, is last",
    ),
    "augmentation": Study(
        "The lecture's five augmentations: none, each alone, all",
        (*QUICK, "epochs=16"),
        AUGMENTATIONS,
        "cnnbench train ladder=augmentation step=flip data=/imagenet",
        "AlexNet paper, section 4.1: without crops and mirror images the network overfits; colour by PCA takes off "
        "more than 1 point of top-1 error. The paper neither rotates nor changes contrast",
        "augmentation raises the training error and closes its gap to the validation error, which it does not lower: "
        "in 16 epochs of so small a network none gains beyond the interval, and shifts and all together lose",
    ),
    "data_size": Study(
        "Big data: error against the share of the training images",
        ("arch=lenet", "recipe=quick", "data=sample", "epochs=8"),
        {f"{100 * share:g} %": (f"data.train_fraction={share}",) for share in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)},
        "cnnbench train --multirun arch=resnet50 data=/imagenet data.train_fraction=0.01,0.1,0.3,1.0",
        "lecture: big data, GPU and algorithms made the difference",
        "the error falls with every share, and the gap between validation and training closes. The number of epochs is "
        "the same, so that more images are more steps as well",
    ),
    "alexnet_parts": Study(
        "AlexNet's parts: trained on the sample at 63 pixels",
        # Of four rates, 0.0001 to 0.003, the best for ReLU and the only one at which tanh leaves guessing.
        (
            *("recipe=quick", *ADAM, "optimizer.lr=0.001", "data=sample"),
            *("data.train_fraction=0.2", "image_size=63", "epochs=4"),
        ),
        {
            "as in the paper": ("arch=alexnet",),
            "without LRN": ("arch=alexnet", "arch.options.lrn=none"),
            "plain pooling": ("arch=alexnet", "arch.options.pooling=plain"),
            "tanh": ("arch=alexnet", "arch.options.activation=tanh"),
        },
        "cnnbench train ladder=alexnet step=without_lrn data=/imagenet",
        "AlexNet paper, sections 3.3 and 3.4: LRN takes off 1.4 and 1.2 points, overlapping pooling 0.4 and 0.3",
        "after 200 steps the network is further without LRN, for each of three seeds, and with plain pooling where it "
        "is as in the paper: this shows how fast each starts on ten classes of small grey pictures, and not where it "
        "ends. With tanh it has hardly left guessing, at the only one of four rates, 0.0001 to 0.003, at which it does",
    ),
    "small_filters": Study(
        "VGG's net B with 3x3 and with 5x5 filters: trained on the sample at 32 pixels",
        (
            "arch=vgg13",
            "recipe=quick",
            *ADAM,
            "optimizer.lr=0.0003",
            "data=sample",
            "data.train_fraction=0.1",
            "epochs=4",
        ),
        {"3x3": (), "5x5": ("arch.options.column=B-5x5",)},
        "cnnbench train ladder=vgg step=b_5x5 data=/imagenet",
        "VGG paper, section 4.1: 7 points of top-1 error between the two on ILSVRC",
        "after 100 steps the net of five 5x5 convolutions is further than that of ten 3x3, for each of three seeds: "
        "the shallow one starts faster; what the deeper gains takes more steps and images than these",
    ),
    "label_smoothing": Study(
        "Label smoothing: training and validation error",
        (*QUICK, "epochs=16"),
        {"0.0": ("label_smoothing=0.0",), "0.1": ("label_smoothing=0.1",)},
        "cnnbench train ladder=inception_v3 step=label_smoothing data=/imagenet",
        "Inception-v2/v3 paper, Table 3: 23.1 to 22.8 top-1, 6.3 to 6.1 top-5 error",
        "no gain: of ten classes, most of which a small network does not learn by heart in 16 epochs, there is little "
        "to smooth. What smoothing does is seen below: it makes the network less sure, here less than it is right",
    ),
    "batch_norm_rates": Study(
        "Batch normalisation and the rate: GoogLeNet trained on the sample at 32 pixels, with and without it",
        (
            *("arch=googlenet", "arch.options.aux_heads=false", "recipe=quick", "data=sample"),
            *("data.train_fraction=0.1", "image_size=32", "epochs=6"),
        ),
        {
            f"{name} at {lr}": (f"arch.options.batch_norm={with_it}", f"optimizer.lr={lr}")
            for name, with_it, rates in (("without", "false", RATES_OF_BN), ("with BN", "true", RATES_OF_BN))
            for lr in rates
        },
        "cnnbench train ladder=bn_inception step=x5 data=/imagenet",
        "Ioffe and Szegedy 2015, section 4.2: without batch normalisation 5 times Inception's rate took the parameters "
        "to infinity; with it the network takes 5 and 30 times that rate, and needs 14 times fewer steps",
        "after 90 steps the training error is 33 and 30 % with it, 73 and 48 % without, at GoogLeNet's rate and at 5 "
        "times it. At 30 times neither trains well, the one with it better for each seed; none became infinite in so "
        "few steps",
    ),
    "residual_inception": Study(
        "Inception-v3 and Inception-ResNet-v1, of about equal cost, trained on the sample at 75 pixels",
        (
            *("recipe=quick", "optimizer.lr=0.045", "data=sample", "data.train_fraction=0.1", "image_size=75"),
            *("batch=32", "epochs=3"),
        ),
        {
            "inception_v3": ("arch=inception_v3", "arch.options.aux_heads=false"),
            "inception_resnet_v1": ("arch=inception_resnet_v1",),
        },
        "cnnbench train ladder=residual_inception step=inception_resnet_v1 data=/imagenet",
        "Inception-v4 paper: of the two the residual one trains much faster, and is slightly worse in the end (Table "
        "2: 21.3 against 21.2 % top-1 error)",
        "after 90 steps the residual one has 25 % validation error and the other 63 %: it trains much faster, for each "
        "of three seeds. Which is better in the end takes more steps than these",
    ),
    "feature_reuse": Study(
        "DenseNet's feature reuse",
        (
            "arch=densenet_bc100_12",
            "recipe=quick",
            "data=sample",
            "data.train_fraction=0.2",
            "image_size=16",
            "epochs=8",
        ),
        {"three blocks of six layers": ("+arch.options.depths=[6,6,6]",)},
        "cnnbench train arch=densenet121 data=/imagenet run=densenet121",
        "DenseNet paper, Figure 5: all layers spread their weights over many sources within a block",
        "all sources weigh nearly the same, as at the start of training: in so few steps the weights hardly leave it, "
        "so that this shows how to look, and not what the paper saw after 300 epochs",
        seeds=(0,),
    ),
    "plain_residual": Study(
        "Plain and residual networks of 20 and 56 layers: training and validation error",
        (*PLAIN, "epochs=16", "schedule.milestones=[8,12]"),
        {name: ("ladder=plain_residual", f"step={name}") for name in ("plain20", "plain56", "resnet20", "resnet56")},
        "cnnbench train ladder=plain_residual step=plain34 data=/imagenet",
        "ResNet paper, Figures 1 and 6: on CIFAR-10 the plain network of 56 layers has higher training AND test error "
        "than that of 20; of the residual networks the deeper is better (test error 8.75 and 6.97 %)",
        "the plain network of 56 layers has twice the error of that of 20 and more, in training as in validation: no "
        "overfitting. With its shortcuts the same depth trains; that it is better than 20 layers takes more images and "
        "epochs than these",
    ),
}


@cache
def trained() -> dict[str, Any]:
    """What `python tools/lecture_runs.py` kept: study -> its machine and, of each run, form, seed, counts and "
    "curves."""
    return json.loads(TRAINED.read_text(encoding="utf-8")) if TRAINED.exists() else {}
