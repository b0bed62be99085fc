"""ResNeXt. Xie et al.: Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017, Table 1.

| stage   | output (224x224) | resnext50_32x4d                          | repeats 50 | 101 |
|---------|------------------|------------------------------------------|------------|-----|
| conv1   | 112x112          | 7x7 / 2, 64                              |            |     |
| pool    | 56x56            | max 3x3 / 2                              |            |     |
| conv2_x | 56x56            | 1x1 128, 3x3 128 in 32 groups, 1x1 256   | x3         | x3  |
| conv3_x | 28x28            | 1x1 256, 3x3 256 in 32 groups, 1x1 512   | x4         | x4  |
| conv4_x | 14x14            | 1x1 512, 3x3 512 in 32 groups, 1x1 1024  | x6         | x23 |
| conv5_x | 7x7              | 1x1 1024, 3x3 1024 in 32 groups, 1x1 2048| x3         | x3  |
| head    | 1x1              | global average, fully connected          |            |     |

A ResNet (resnet.py) with C groups of width d in the 3x3 convolution, "CxDd": the number is that of conv2_x and doubles
with each stage. For CIFAR (section 5.3) 29 layers: 3x3 64, then three stages of three blocks with outputs of 256, 512
and 1024 channels at 32x32, 16x16 and 8x8.

The CIFAR figures of the paper "are based on pre-activated bottleneck blocks and a batch size of 256" (README of
github.com/facebookresearch/ResNeXt), whose code has the post-activated ones and 128, "better": resnext29_8x64d is the
paper's, a network of preact_resnet.py in the order of fb.resnet.torch's preresnet.lua, resnext29_8x64d_post the code's.
"""

from __future__ import annotations

from typing import Any

from cnnbench.archs.layers import Networks
from cnnbench.archs.preact_resnet import BOTTLENECK as PREACTIVATED
from cnnbench.archs.preact_resnet import PreActResNet
from cnnbench.archs.resnet import BOTTLENECK, Bottleneck, ResNet

CIFAR_29: dict[str, Any] = dict(depths=(3, 3, 3), widths=(64, 128, 256), stem="cifar")

NETWORKS: Networks = {
    "resnext50_32x4d": (ResNet, {**BOTTLENECK[50], "groups": 32, "base_width": 4}),
    "resnext101_32x4d": (ResNet, {**BOTTLENECK[101], "groups": 32, "base_width": 4}),
    "resnext101_64x4d": (ResNet, {**BOTTLENECK[101], "groups": 64, "base_width": 4}),
    "resnext101_32x8d": (ResNet, {**BOTTLENECK[101], "groups": 32, "base_width": 8}),
    "resnext29_8x64d": (PreActResNet, {**CIFAR_29, **PREACTIVATED, "groups": 8, "base_width": 64}),
    "resnext29_8x64d_post": (ResNet, {**CIFAR_29, "block": Bottleneck, "groups": 8, "base_width": 64}),
}
