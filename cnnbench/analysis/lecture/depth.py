"""Claims about depth: the identity construction, the rule of ResNet's stages, bottlenecks, gradients at the start."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cnnbench.analysis.describe.network import describe, describe_named
from cnnbench.analysis.tables import Table
from cnnbench.archs.registry import build
from cnnbench.archs.resnet import Basic, Bottleneck

STAGES = ("layer1", "layer2", "layer3")


def identity() -> list[Table]:
    """A plain network of 56 layers that is the one of 20: the outputs of both on the same images, and their largest
    difference, also of residual networks whose added branches give zeros."""
    rows = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        images = torch.randn(4, 3, 32, 32)
        for kind, fill in (("plain", as_identity), ("resnet", as_zero)):
            shallow = build(f"{kind}20", num_classes=10).eval()
            deep = deepened(shallow, build(f"{kind}56", num_classes=10).eval(), fill)
            a, b = shallow(images), deep(images)
            added = describe(deep, 32).totals.params - describe(shallow, 32).totals.params
            rows.append((f"{kind}20 as {kind}56", 36, added, torch.equal(a, b), (a - b).abs().max().item()))
    columns = {
        "network": "",
        "layers added": "",
        "weights added": "",
        "equal to the bit": "",
        "largest difference": ".1e",
    }
    notes = [
        "lecture, as the ResNet paper: the deeper model should do at least as well, by construction: copy the "
        "shallower one and let the added layers be identities",
        "plain: 3x3 filters with a single 1 in the middle; ReLU leaves what is not negative as it is. Residual: "
        "branches whose last scale is 0, weights that training finds by shrinking",
        "in inference: in training batch normalisation would rescale an identity to deviation 1",
        "that such a solution exists and is not found is the paper's argument for shortcuts: see plain_residual",
    ]
    return [Table("A deeper network that is the shallower one", columns, rows, notes)]


def deepened(shallow: nn.Module, deep: nn.Module, fill: Any) -> nn.Module:
    """`deep` with the weights of `shallow`, in place: blocks that it has beyond those of a stage are filled by "
    "`fill`."""
    weights = dict(shallow.state_dict())
    for stage in STAGES:
        known = len([*shallow.get_submodule(stage).children()])
        for number, block in enumerate(deep.get_submodule(stage).children()):
            if number >= known:
                fill(block)
                weights |= {f"{stage}.{number}.{name}": value for name, value in block.state_dict().items()}
    deep.load_state_dict(weights)
    return deep


def as_identity(block: Basic) -> None:
    for conv, norm in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
        nn.init.dirac_(conv.weight)
        assert norm.running_var is not None
        norm.running_var.fill_(1 - norm.eps)  # so that the deviation, epsilon included, is 1


def as_zero(block: Basic) -> None:
    nn.init.zeros_(block.bn2.weight)


def resnet_rule(name: str = "plain34") -> list[Table]:
    """Side, filters and multiply-adds of a 3x3 convolution in each stage."""
    rows = []
    for number in range(1, 5):
        layers = [layer for layer in describe_named(name).layers if layer.name.startswith(f"layer{number}.")]
        convs = [layer for layer in layers if layer.kernel == (3, 3)]
        last = convs[-1]
        rows.append((f"conv{number + 1}_x", last.output[-1], last.output[0], len(convs), last.params, last.macs / 1e6))
    columns = {
        "stage": "",
        "side": "",
        "filters": "",
        "3x3 convolutions": "",
        "weights of one": "",
        "MACs of one (M)": ".1f",
    }
    first = next(layer for layer in describe_named(name).layers if layer.name == "layer2.0.conv1")
    notes = [
        "lecture: spatial size /2 => number of filters x2. Then a quarter of the pixels, four times the weights: the "
        "same cost in every stage, and four times the parameters",
        f"a stage's first convolution reads half the filters and costs half: {first.macs / 1e6:.1f} million in conv3_x",
        '"all 3x3 (almost)": but the 7x7 stem, and 1x1 shortcuts; no dropout, one fully connected layer',
    ]
    return [Table(f"ResNet's rule in {name}", columns, rows, notes)]


def bottleneck() -> list[Table]:
    """A block of two 3x3 convolutions and a bottleneck block, at 64 and at 256 channels, on a map of 56x56."""
    with torch.device("meta"):
        blocks: dict[str, tuple[nn.Module, int]] = {
            "basic, 64-d: 3x3, 64 twice": (Basic(64, 64, 1, "B"), 64),
            "bottleneck, 256-d: 1x1, 64; 3x3, 64; 1x1, 256": (Bottleneck(256, 64, 1), 256),
            "basic, 256-d: 3x3, 256 twice": (Basic(256, 256, 1, "B"), 256),
        }
    rows = []
    for name, (block, channels) in blocks.items():
        layers = [layer for layer in describe(block, 56, channels).layers if layer.kernel]
        weights, macs = sum(layer.params for layer in layers), sum(layer.macs for layer in layers)
        rows.append((name, channels, weights, macs / 1e6, len(layers)))
    columns = {"block": "", "channels": "", "weights": "", "MACs (M)": ",.0f", "layers": ""}
    ratio = rows[2][2] / rows[1][2]
    notes = [
        "ResNet paper, Figure 5: both blocks have similar complexity: "
        f"{rows[0][2]:,} and {rows[1][2]:,} weights, at four times the channels between blocks and one layer more",
        f"without the 1x1 convolutions 256 channels would cost {ratio:.0f} times as much",
        "lecture: as GoogLeNet's reductions. Map of 56x56; convolutions without bias, batch normalisation not counted",
    ]
    return [Table("Basic block and bottleneck", columns, rows, notes)]


# Networks of about 100 layers for 32x32 images, and the name of the convolutions that are followed.
DEEP: dict[str, tuple[str, dict[str, Any]]] = {
    "plain, 98 layers": ("plain56", {"depths": (16, 16, 16)}),
    "residual, 98 layers": ("resnet56", {"depths": (16, 16, 16)}),
    "dense, 100 layers": ("densenet_bc100_12", {}),
}


@cache
def gradient_norms(seed: int = 0, images: int = 8) -> dict[str, list[float]]:
    """Of each network of DEEP at its start: the root mean square of the gradient on each 3x3 convolution's weights."""
    found = {}
    for name, (key, options) in DEEP.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(key, num_classes=10, **options).train()
            x, labels = torch.randn(images, 3, 32, 32), torch.randint(10, (images,))
            functional.cross_entropy(network(x), labels).backward()
        convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
        grads = [layer.weight.grad for layer in convs]
        found[name] = [grad.square().mean().sqrt().item() for grad in grads if grad is not None]
    return found


def gradients() -> list[Table]:
    """Gradients on the first and the last convolutions of plain, residual and dense networks of equal depth."""
    rows = []
    for name, norms in gradient_norms().items():
        tenth = max(1, len(norms) // 10)
        first, last = sum(norms[:tenth]) / tenth, sum(norms[-tenth:]) / tenth
        rows.append((name, len(norms), first, last, first / last, max(norms) / min(norms)))
    columns = {
        "network at its start": "",
        "3x3 convolutions": "",
        "first tenth": ".1e",
        "last tenth": ".1e",
        "first / last": ".1f",
        "largest / smallest": ".1f",
    }
    notes = [
        "lecture: deeper models are harder to optimise; a dense layer has direct access to the gradients from the loss",
        "root mean square of the gradient on the weights, one batch of 8 noise images, each network's own start",
        "with batch normalisation they do not vanish, as the ResNet paper says (section 4.1, of 34 layers): through 98 "
        "plain layers they EXPLODE towards the input, by a factor at each layer (Yang et al. 2019); shortcuts and "
        "dense "
        'connections take that away. Of DenseNet\'s slide, "vanishing" is the word for networks without normalisation',
        "loss along two random directions, with and without shortcuts (Li et al. 2018): `cnnbench look run=NAME "
        "image=FILE`",
    ]
    return [Table("Gradients through 100 layers", columns, rows, notes)]
