"""The lecture "CNN Architectures" (C. Xu, University of Sydney): its tables and claims, each computed now.

A function computes one claim and returns tables that print what the lecture or the paper says beside it. All run
without arguments; some have options.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnbench.analysis.lecture import convolutions, densenet, errors, inception, networks, operations, wide_resnet
from cnnbench.analysis.tables import Table

# Name -> one line that says what is shown, and the function that shows it.
LECTURE: dict[str, tuple[str, Callable[..., list[Table]]]] = {
    "winners": ("The winning networks: which errors belong to one network", errors.winners),
    "relu": ("ReLU and its derivative", operations.relu),
    "dropout": ("Dropout: scaled in training or at test", operations.dropout),
    "lrn": ("Local response normalisation: the formula and its implementations", operations.lrn),
    "overlapping_pooling": ("Overlapping pooling on the lecture's feature map", operations.overlapping_pooling),
    "two_towers": ("AlexNet's two GPUs: a convolution in two groups is two towers", operations.two_towers),
    "small_filters": ("Two 3x3 convolutions see what one 5x5 sees, with fewer weights", convolutions.small_filters),
    "receptive_field": ("What one unit of the last map sees", convolutions.receptive_field),
    "output_size": ("Output size = (N + 2P - K) / S + 1", convolutions.output_sizes),
    "reduction": ("1x1 convolutions reduce channels and cost", convolutions.reduction),
    "googlenet_alexnet": ("GoogLeNet: 12x fewer parameters than AlexNet?", networks.googlenet_alexnet),
    "plain_residual": ("Plain networks get worse with depth, residual ones better", networks.plain_residual),
    "inception": ("The steps from GoogLeNet to Inception-ResNet-v2", inception.ladder),
    "label_smoothing": ("Label smoothing", operations.label_smoothing),
    "wide_resnet": ("Wide ResNet against deep ResNet: error, size and time", wide_resnet.time_per_batch),
    "resnet_resnext": ("ResNet-50 against ResNeXt-50, stage by stage", networks.resnet_resnext),
    "resnext_forms": ("Three equivalent forms of ResNeXt's block", operations.resnext_forms),
    "densenet_resnet": ("DenseNet against ResNet on parameters and multiply-adds", densenet.densenet_resnet),
    "errors": ("Where the lecture and the papers err", errors.errors),
}
