"""Wide ResNet. Zagoruyko, Komodakis: Wide Residual Networks, BMVC 2016.

ImageNet (section 3.2, Tables 7 and 8): the ResNet of resnet.py, post-activation, with more channels.

| network             | 56x56              | 28x28               | 14x14                | 7x7                   |
|---------------------|--------------------|---------------------|----------------------|-----------------------|
| wide_resnet18_2     | [3x3 128]x2 x2     | [3x3 256]x2 x2      | [3x3 512]x2 x2       | [3x3 1024]x2 x2       |
| wide_resnet34_2     | ... x3             | ... x4              | ... x6               | ... x3                |
| wide_resnet50_2     | [1x1 128, 3x3 128, | [1x1 256, 3x3 256,  | [1x1 512, 3x3 512,   | [1x1 1024, 3x3 1024,  |
|                     | 1x1 256] x3        | 1x1 512] x4         | 1x1 1024] x6         | 1x1 2048] x3          |

Basic blocks widen everything but the stem (1p5: by 1.5, 3: by 3), bottleneck blocks only their 3x3 convolution.

CIFAR (Table 1): WRN-n-k, the pre-activation network of preact_resnet.py, N = (n - 4) / 6 blocks per stage.

| stage | output (32x32) | WRN-n-k                               |
|-------|----------------|---------------------------------------|
| conv1 | 32x32          | 3x3, 16                               |
| conv2 | 32x32          | [3x3 16k]x2 xN                        |
| conv3 | 16x16          | [3x3 32k]x2 xN, first stride 2        |
| conv4 | 8x8            | [3x3 64k]x2 xN, first stride 2        |
| head  | 1x1            | BN, ReLU, average, fully connected    |

`kernels` makes the blocks of Table 2, for k = 2 with N of that formula whatever the block has, and of Table 3, [3]*l:

| block    | kernels   | depth d | parameters (M) |
|----------|-----------|---------|----------------|
| B(1,3,1) | [1, 3, 1] | 40      | 1.4            |
| B(3,1)   | [3, 1]    | 40      | 1.2            |
| B(1,3)   | [1, 3]    | 40      | 1.3            |
| B(3,1,1) | [3, 1, 1] | 40      | 1.3            |
| B(3,3)   | [3, 3]    | 28      | 1.5            |
| B(3,1,3) | [3, 1, 3] | 22      | 1.1            |

`block_dropout` of 0.3 is the paper's for CIFAR with dropout (section 3); without is its main result and the default.
"""

from __future__ import annotations

from typing import Any

from cnnbench.archs.layers import Networks
from cnnbench.archs.preact_resnet import PreActResNet
from cnnbench.archs.resnet import BASIC, BOTTLENECK, ResNet

# pretrained/wide-resnet.lua:162: over the fan-in; models/utils.lua:5 for CIFAR, where nothing sets BN's scales to 1
ILSVRC, CIFAR = dict(init="fan_in"), dict(stem="cifar", first_activation="branch", stride_in="conv1", init="wrn")


def _wrn(depth: int, widen: float) -> tuple[type[PreActResNet], dict[str, Any]]:
    n = (depth - 4) // 6
    return PreActResNet, dict(**CIFAR, depths=(n, n, n), widths=(16, 32, 64), widen=widen)


NETWORKS: Networks = {
    "wide_resnet18_1p5": (ResNet, {**BASIC[18], **ILSVRC, "widen": 1.5}),
    "wide_resnet18_2": (ResNet, {**BASIC[18], **ILSVRC, "widen": 2}),
    "wide_resnet18_3": (ResNet, {**BASIC[18], **ILSVRC, "widen": 3}),
    "wide_resnet34_1p5": (ResNet, {**BASIC[34], **ILSVRC, "widen": 1.5}),
    "wide_resnet34_2": (ResNet, {**BASIC[34], **ILSVRC, "widen": 2}),
    "wide_resnet50_2": (ResNet, {**BOTTLENECK[50], **ILSVRC, "base_width": 128}),
    "wide_resnet101_2": (ResNet, {**BOTTLENECK[101], **ILSVRC, "base_width": 128}),
    "wrn16_4": _wrn(16, 4),
    "wrn28_10": _wrn(28, 10),
    **{f"wrn40_{k}": _wrn(40, k) for k in (1, 2, 4, 8)},
}
