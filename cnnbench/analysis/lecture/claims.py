"""The lecture "CNN Architectures" (C. Xu, University of Sydney), claim by claim, in the order of its slides.

A claim's function returns tables that print what the lecture or the paper says beside what is computed now; all run
without arguments, some have options. A picture is a function that returns a figure and its caption. Both are named here
as module:function of this package, and imported when they are asked for: the list needs neither torch nor matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cnnbench.runtime.errors import UserError, nearest


@dataclass(frozen=True)
class Claim:
    """`part`: the slides that it stands on. `commands`: what measures the claim further, or trains it."""

    title: str
    part: str
    show: str
    picture: str | None = None
    commands: tuple[str, ...] = ()


ILSVRC, ALEXNET, VGG = "ILSVRC", "LeNet and AlexNet", "ZFNet and VGG"
GOOGLENET, RESNET, INCEPTION = "GoogLeNet", "ResNet", "Inception and Inception-ResNet"
XCEPTION, WIDE, RESNEXT, DENSENET, SLIPS = "Xception", "Wide ResNet", "ResNeXt", "DenseNet", "All together"
LOOK = "cnnbench look run=NAME image=FILE pictures="

LECTURE: dict[str, Claim] = {
    "ilsvrc": Claim("Years, tasks and images of ILSVRC", ILSVRC, "history:ilsvrc"),
    "localisation": Claim(
        "Localisation from class activation",
        ILSVRC,
        "history:localisation",
        commands=(
            LOOK + "[class_activation,grad_cam]",
            "cnnbench eval run=NAME data=/imagenet boxes=/imagenet/LOC_val_solution.csv",
        ),
    ),
    "winners_by_year": Claim(
        "Participation and performance: the winners", ILSVRC, "history:winners_by_year", "pictures:winners_by_year"
    ),
    "data_size": Claim("Big data: error against images", ILSVRC, "trained:data_size", "trained_pictures:data_size"),
    "winners": Claim("The winning networks: the slide's table, counted", ILSVRC, "errors:winners"),
    "relu": Claim("ReLU and its derivative", ALEXNET, "operations:relu", "pictures:activations"),
    "saturation": Claim("Saturation: what activations let through", ALEXNET, "activations:saturation"),
    "dead_relu": Claim(
        "Dead ReLUs: units without a gradient", ALEXNET, "activations:dead_relu", commands=(LOOK + "[units]",)
    ),
    "activation": Claim(
        "ReLU against tanh: how fast they train", ALEXNET, "trained:activation", "trained_pictures:activation"
    ),
    "augmentation": Claim(
        "The five augmentations, each alone", ALEXNET, "trained:augmentation", "trained_pictures:augmentation"
    ),
    "dropout": Claim("Dropout: scaled in training or at test", ALEXNET, "operations:dropout"),
    "dropout_networks": Claim(
        "Dropout trains 2^n networks",
        ALEXNET,
        "dropout:dropout_networks",
        "pictures:dropout",
        ("cnnbench eval run=NAME protocol=monte_carlo_dropout",),
    ),
    "lrn": Claim("Local response normalisation: the formula and its implementations", ALEXNET, "operations:lrn"),
    "overlapping_pooling": Claim(
        "Overlapping pooling on the lecture's feature map", ALEXNET, "operations:overlapping_pooling"
    ),
    "alexnet_parts": Claim("AlexNet without LRN, with plain pooling, with tanh", ALEXNET, "trained:alexnet_parts"),
    "two_towers": Claim(
        "AlexNet's two GPUs: a convolution in two groups is two towers", ALEXNET, "operations:two_towers"
    ),
    "zfnet_filters": Claim(
        "ZFNet: what its filters see",
        VGG,
        "history:zfnet_filters",
        commands=(LOOK + "[filters,deconvolution,occlusion]",),
    ),
    "small_filters": Claim(
        "Two 3x3 convolutions see what one 5x5 sees, with fewer weights", VGG, "convolutions:small_filters"
    ),
    "small_filters_trained": Claim("VGG's B with 5x5 filters", VGG, "trained:small_filters"),
    "receptive_field": Claim(
        "What one unit of the last map sees",
        VGG,
        "convolutions:receptive_field",
        "pictures:receptive_field",
        (LOOK + "[receptive_field]",),
    ),
    "fc7": Claim("FC7 features generalise", VGG, "transfer:by_layer", "pictures:transfer_by_layer"),
    "googlenet_alexnet": Claim(
        "GoogLeNet: 12x fewer parameters than AlexNet?", GOOGLENET, "networks:googlenet_alexnet"
    ),
    "nin": Claim("Network in Network", GOOGLENET, "modules:nin"),
    "inception_branches": Claim("The inception module, branch by branch", GOOGLENET, "modules:inception_branches"),
    "output_size": Claim("Output size = (N + 2P - K) / S + 1", GOOGLENET, "convolutions:output_sizes"),
    "reduction": Claim("1x1 convolutions reduce channels and cost", GOOGLENET, "convolutions:reduction"),
    "identity": Claim("Deeper is at least as good, by construction", RESNET, "depth:identity"),
    "plain_residual": Claim(
        "Plain networks get worse with depth, residual ones better",
        RESNET,
        "networks:plain_residual",
        "trained_pictures:plain_residual",
    ),
    "gradients": Claim(
        "Deeper is harder to optimise: gradients by layer",
        RESNET,
        "depth:gradients",
        "pictures:gradients",
        (LOOK + "[gradients,landscape]",),
    ),
    "resnet_rule": Claim("Half the side, twice the filters", RESNET, "depth:resnet_rule"),
    "bottleneck": Claim("Basic block against bottleneck", RESNET, "depth:bottleneck"),
    "first_places": Claim("First places in five tracks", RESNET, "history:first_places"),
    "transfer": Claim("Deeper features transfer", RESNET, "transfer:by_depth", "pictures:transfer_by_depth"),
    "batch_norm": Claim("Batch normalisation, and folding it", INCEPTION, "normalisation:batch_norm"),
    "batch_norm_rates": Claim(
        "Batch normalisation takes higher rates",
        INCEPTION,
        "trained:batch_norm_rates",
        "trained_pictures:batch_norm_rates",
    ),
    "label_smoothing": Claim("Label smoothing", INCEPTION, "operations:label_smoothing"),
    "label_smoothing_trained": Claim("Label smoothing, trained", INCEPTION, "trained:label_smoothing"),
    "inception": Claim(
        "The steps from GoogLeNet to Inception-ResNet-v2", INCEPTION, "inception:ladder", "pictures:inception"
    ),
    "residual_scaling": Claim(
        "Residuals are scaled", INCEPTION, "normalisation:residual_scaling", "pictures:residual_scaling"
    ),
    "residual_inception": Claim(
        "Residual converges faster", INCEPTION, "trained:residual_inception", "trained_pictures:residual_inception"
    ),
    "xception": Claim("From Inception to Xception: three figures", XCEPTION, "modules:xception_figures"),
    "wide_resnet": Claim("Wide ResNet against deep ResNet: error, size and time", WIDE, "wide_resnet:time_per_batch"),
    "wide_blocks": Claim("More layers per block, more planes", WIDE, "modules:wide_blocks"),
    "resnet_resnext": Claim("ResNet-50 against ResNeXt-50, stage by stage", RESNEXT, "networks:resnet_resnext"),
    "resnext_forms": Claim("Three equivalent forms of ResNeXt's block", RESNEXT, "operations:resnext_forms"),
    "densenet_gradients": Claim("Direct access to the gradients", DENSENET, "depth:gradients", "pictures:gradients"),
    "feature_reuse": Claim(
        "Feature reuse: weights by source layer", DENSENET, "densenet:feature_reuse", "densenet_picture:feature_reuse"
    ),
    "densenet_resnet": Claim(
        "DenseNet against ResNet on parameters and multiply-adds",
        DENSENET,
        "densenet:densenet_resnet",
        "pictures:densenet_resnet",
    ),
    "trained": Claim("All that was trained on the sample", SLIPS, "trained:all_trained"),
    "errors": Claim("Where the lecture and the papers err", SLIPS, "errors:errors"),
}


def claim_of(name: str) -> Claim:
    """The claim of that name. Raises UserError, with the nearest, for another."""
    if name not in LECTURE:
        raise UserError(f"the lecture has no '{name}'{nearest(name, LECTURE)}; `cnnbench lecture` lists all")
    return LECTURE[name]


def function(reference: str) -> Callable[..., Any]:
    """What `module:function` names, imported."""
    module, _, name = reference.partition(":")
    return getattr(import_module(f"cnnbench.analysis.lecture.{module}"), name)
