"""The three equivalent forms of the ResNeXt block. Xie et al., CVPR 2017, Figure 3.

| form                        | layers of conv2_x in 32x4d (input channels, filter, output channels)                |
|-----------------------------|-------------------------------------------------------------------------------------|
| (a) sum of branches         | 32 times: 256, 1x1, 4; 4, 3x3, 4; 4, 1x1, 256. The 32 outputs are added             |
| (b) early concatenation     | 32 times: 256, 1x1, 4; 4, 3x3, 4. Concatenated: 128, 1x1, 256                       |
| (c) grouped convolution     | 256, 1x1, 128; 128, 3x3 in 32 groups, 128; 128, 1x1, 256: the block of resnet.py    |

Batch normalisation and ReLU follow each convolution; in (a) the last normalisation follows the sum (section 4).
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.archs.resnet import Bottleneck

CHANNELS, WIDTH, CARDINALITY, BASE_WIDTH = 256, 64, 32, 4  # conv2_x of resnext50_32x4d


class SumOfBranches(nn.Module):
    """Form (a), with the weights of `block`, a Bottleneck with identity shortcut."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.branches = _branches(block)
        self.expand = nn.ModuleList(_slice_conv(block.conv3, inputs=part) for part in _parts(block))
        self.norm = block.bn3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = sum(expand(branch(x)) for branch, expand in zip(self.branches, self.expand, strict=True))
        return torch.relu(self.norm(y) + x)


class EarlyConcatenation(nn.Module):
    """Form (b), with the weights of `block`, a Bottleneck with identity shortcut."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.branches = _branches(block)
        self.expand = block.conv3
        self.norm = block.bn3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([branch(x) for branch in self.branches], 1)
        return torch.relu(self.norm(self.expand(y)) + x)


def resnext_equivalence(seed: int = 0) -> dict[str, float]:
    """Largest absolute difference of forms (a) and (b) from (c), over the outputs and over the gradients of the input.

    Random weights, scales and shifts, and images drawn by `seed`; batch normalisation by the batch; float64, values of
    the order of 1, so that equal functions differ by less than 1e-12. Leaves torch's global generator as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block = Bottleneck(CHANNELS, WIDTH, stride=1, groups=CARDINALITY, base_width=BASE_WIDTH).double()
        for norm in (block.bn1, block.bn2, block.bn3):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias)
        x = torch.randn(2, CHANNELS, 14, 14, dtype=torch.float64)
        weight = torch.randn_like(x)  # of the output's elements, for one gradient that sees all of them
        forms = {"sum of branches": SumOfBranches(block), "early concatenation": EarlyConcatenation(block)}
    grouped = _output_and_gradient(block, x, weight)
    return {
        name: max(
            (a - c).abs().max().item() for a, c in zip(_output_and_gradient(form, x, weight), grouped, strict=True)
        )
        for name, form in forms.items()
    }


def _output_and_gradient(form: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.detach().requires_grad_()
    y = form(x)
    return y.detach(), torch.autograd.grad((weight * y).sum(), x)[0]


def _parts(block: Bottleneck) -> list[slice]:
    """The inner channels of each branch."""
    width = block.conv2.in_channels // block.conv2.groups
    return [slice(i * width, (i + 1) * width) for i in range(block.conv2.groups)]


def _branches(block: Bottleneck) -> nn.ModuleList:
    """1x1 and 3x3 convolution of each group on its own, each with batch normalisation and ReLU."""
    return nn.ModuleList(
        nn.Sequential(
            _slice_conv(block.conv1, outputs=part),
            _slice_norm(block.bn1, part),
            nn.ReLU(),
            _slice_conv(block.conv2, outputs=part),
            _slice_norm(block.bn2, part),
            nn.ReLU(),
        )
        for part in _parts(block)
    )


def _slice_conv(conv: nn.Conv2d, outputs: slice = slice(None), inputs: slice = slice(None)) -> nn.Conv2d:
    """Ungrouped convolution by a part of the weights, a view of them."""
    weight = conv.weight.detach()[outputs, inputs]
    kernel = conv.kernel_size[0]  # 1x1 or 3x3, padded so that the side stays
    part = nn.Conv2d(weight.shape[1], weight.shape[0], kernel, padding=kernel // 2, bias=False)
    part.weight = nn.Parameter(weight)
    return part


def _slice_norm(norm: nn.BatchNorm2d, channels: slice) -> nn.BatchNorm2d:
    """Batch normalisation of some channels, by views of their scale and shift."""
    weight, bias = norm.weight.detach()[channels], norm.bias.detach()[channels]
    part = nn.BatchNorm2d(len(weight), dtype=weight.dtype)
    part.weight, part.bias = nn.Parameter(weight), nn.Parameter(bias)
    return part
