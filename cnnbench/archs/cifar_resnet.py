"""ResNet and plain networks for CIFAR. He, Zhang, Ren, Sun: Deep Residual Learning, CVPR 2016, section 4.2.

| stage  | output (32x32) | 6n + 2 layers                   |
|--------|----------------|---------------------------------|
| conv1  | 32x32          | 3x3, 16                         |
| layer1 | 32x32          | [3x3 16]x2 xn                   |
| layer2 | 16x16          | [3x3 32]x2 xn, first stride 2   |
| layer3 | 8x8            | [3x3 64]x2 xn, first stride 2   |
| head   | 1x1            | global average, fully connected |

n = 3, 5, 7, 9, 18 for 20, 32, 44, 56, 110 layers. "We use identity shortcuts in all cases (i.e., option A)".
"""

from __future__ import annotations

from cnnbench.archs.layers import Networks
from cnnbench.archs.resnet import Basic, ResNet


def _network(n: int, shortcut: str) -> tuple[type[ResNet], dict]:
    return ResNet, dict(block=Basic, depths=(n, n, n), widths=(16, 32, 64), stem="cifar", shortcut=shortcut)


NETWORKS: Networks = {
    "resnet20": _network(3, "A"),
    "resnet32": _network(5, "A"),
    "resnet44": _network(7, "A"),
    "resnet56": _network(9, "A"),
    "resnet110": _network(18, "A"),
    "plain20": _network(3, "none"),
    "plain32": _network(5, "none"),
    "plain44": _network(7, "none"),
    "plain56": _network(9, "none"),
}
