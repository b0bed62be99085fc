"""ResNet and plain networks for CIFAR. He, Zhang, Ren, Sun: Deep Residual Learning, CVPR 2016, section 4.2.

| stage  | output (32x32) | 6n + 2 layers                   |
|--------|----------------|---------------------------------|
| conv1  | 32x32          | 3x3, 16                         |
| layer1 | 32x32          | [3x3 16]x2 xn                   |
| layer2 | 16x16          | [3x3 32]x2 xn, first stride 2   |
| layer3 | 8x8            | [3x3 64]x2 xn, first stride 2   |
| head   | 1x1            | global average, fully connected |

n = 3, 5, 7, 9, 18 for 20, 32, 44, 56, 110 layers. "We use identity shortcuts in all cases (i.e., option A)". Bottleneck
blocks [1x1 w, 3x3 w, 1x1 4w] with projections and n = 18 are resnet164, the baseline of He et al. 2016 (Identity
Mappings, section 4.1).

cifar_resnet18, cifar_resnet34 and cifar_resnet50 are the networks of resnet.py with another stem, 3x3, 64, and no
pooling, so that their four stages see 32x32, 16x16, 8x8 and 4x4. No paper has them: they are those of
github.com/kuangliu/pytorch-cifar, in which most weights for CIFAR are published.
"""

from __future__ import annotations

from cnnbench.archs.layers import Networks
from cnnbench.archs.resnet import BASIC, BOTTLENECK, Basic, Bottleneck, ResNet


def _network(n: int, shortcut: str) -> tuple[type[ResNet], dict]:
    return ResNet, dict(block=Basic, depths=(n, n, n), widths=(16, 32, 64), stem="cifar", shortcut=shortcut)


NETWORKS: Networks = {
    "resnet20": _network(3, "A"),
    "resnet32": _network(5, "A"),
    "resnet44": _network(7, "A"),
    "resnet56": _network(9, "A"),
    "resnet110": _network(18, "A"),
    "resnet164": (
        ResNet,
        dict(block=Bottleneck, depths=(18, 18, 18), widths=(16, 32, 64), stem="cifar", stride_in="1x1"),
    ),
    "cifar_resnet18": (ResNet, {**BASIC[18], "stem": "cifar"}),
    "cifar_resnet34": (ResNet, {**BASIC[34], "stem": "cifar"}),
    "cifar_resnet50": (ResNet, {**BOTTLENECK[50], "stem": "cifar"}),
    "plain20": _network(3, "none"),
    "plain32": _network(5, "none"),
    "plain44": _network(7, "none"),
    "plain56": _network(9, "none"),
}
