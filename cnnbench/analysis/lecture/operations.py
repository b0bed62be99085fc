"""Claims about single operations: ReLU, dropout, normalisation, pooling, groups, label smoothing."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cnnbench.analysis.describe.network import describe
from cnnbench.analysis.tables import Table
from cnnbench.archs.layers import LocalResponseNorm

FEATURE_MAP = ((-1, 4, 1, 2), (0, 1, 3, -2), (1, 5, -2, 6), (3, -1, -2, -2))  # of the lecture's slide


def relu() -> list[Table]:
    """f(x) = max(0, x) and its derivative, as automatic differentiation computes it."""
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    y = functional.relu(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    lecture = [1.0 if value >= 0 else 0.0 for value in x.tolist()]
    rows = list(zip(x.tolist(), y.tolist(), slope.tolist(), lecture, strict=True))
    notes = ["at 0 there is no derivative: the lecture writes 1, torch takes 0; any value in [0, 1] is a subgradient"]
    return [Table("ReLU", {"x": "", "f(x)": "", "f'(x), torch": "", "f'(x), lecture": ""}, rows, notes)]


def dropout(rate: float = 0.5, draws: int = 100_000) -> list[Table]:
    """The mean of a unit with value 1 over random draws in training, and its value at test, in both conventions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kept = (torch.rand(draws) >= rate).float().mean().item()
        scaled = functional.dropout(torch.ones(draws), rate).mean().item()
    rows = [
        ("AlexNet paper: multiply by 1 - rate at test", kept, 1 - rate),
        (
            "torch: divide by 1 - rate in training",
            scaled,
            functional.dropout(torch.ones(1), rate, training=False).item(),
        ),
    ]
    columns = {"convention": "", "mean in training": ".3f", "at test": ".3f"}
    notes = [
        f"drop rate {rate}: in both, the value at test is the mean in training; they differ by the constant 1 - rate",
        "lecture: averages 2^n networks of n units. Exact for one linear layer, an approximation beyond",
    ]
    return [Table("Dropout", columns, rows, notes)]


def lrn() -> list[Table]:
    """Implementations of local response normalisation against the formula, on activations uniform in [0, 100)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = 100 * torch.rand(2, 32, 5, 5, dtype=torch.float64)
    expected = _lrn_formula(x, n=5, k=2.0, alpha=1e-4, beta=0.75)
    forms = {
        "the formula, cnnbench's alexnet": (LocalResponseNorm(), 1e-4, 2.0),
        "torch with the paper's numbers = the authors' code": (nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), 2e-5, 2.0),
        "torch's defaults = Caffe": (nn.LocalResponseNorm(5), 2e-5, 1.0),
    }
    rows = []
    for name, (layer, alpha, k) in forms.items():
        rows.append((name, alpha, k, 100 * ((layer(x) - expected).abs() / expected).max().item()))
    columns = {"form": "", "alpha on the sum": ".0e", "k": "", "largest difference (%)": ".4f"}
    notes = [
        "activations uniform in [0, 100), at which the sum counts; with activations of about 1 alpha x sum is lost "
        "beside k, and the first two forms are the same number",
        "lecture, as the paper: b_i = a_i / (k + alpha x sum of a_j² over n = 5 neighbouring maps)^beta, with k = 2, "
        "alpha = 1e-4, beta = 0.75 in the paper",
        "torch divides alpha by n: its layer with the paper's numbers is not the paper's formula",
    ]
    return [Table("Local response normalisation", columns, rows, notes)]


def _lrn_formula(a: torch.Tensor, n: int, k: float, alpha: float, beta: float) -> torch.Tensor:
    """The paper's formula, map by map; a: (N, C, H, W)."""
    maps = a.shape[1]
    b = torch.empty_like(a)
    for i in range(maps):
        window = a[:, max(0, i - n // 2) : min(maps - 1, i + n // 2) + 1]
        b[:, i] = a[:, i] / (k + alpha * window.square().sum(1)) ** beta
    return b


def overlapping_pooling() -> list[Table]:
    """Max pooling of the lecture's 4x4 feature map with stride equal to and smaller than the kernel."""
    image = torch.tensor(FEATURE_MAP, dtype=torch.float32)[None, None]
    rows = []
    for kernel, stride in ((2, 2), (2, 1), (3, 1), (3, 2)):
        pooled = functional.max_pool2d(image, kernel, stride)[0, 0].int().tolist()
        rows.append((f"{kernel}x{kernel}", stride, stride < kernel, " / ".join(" ".join(map(str, r)) for r in pooled)))
    columns = {"kernel": "", "stride": "", "overlapping": "", "output, row by row": ""}
    shown = " / ".join(" ".join(map(str, row)) for row in FEATURE_MAP)
    notes = [
        f"lecture: overlapping if stride < kernel size. Its feature map: {shown}",
        "AlexNet pools 3x3 with stride 2; its paper: 0.4 points lower top-1 and 0.3 lower top-5 error than 2x2 / 2: "
        "see the claim alexnet_parts",
    ]
    return [Table("Overlapping pooling", columns, rows, notes)]


def two_towers() -> list[Table]:
    """AlexNet's conv2 as a convolution in two groups and as two convolutions on half of the channels each."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        grouped = nn.Conv2d(96, 256, 5, padding=2, groups=2).double()
        towers = [nn.Conv2d(48, 128, 5, padding=2).double() for _ in range(2)]
        x = torch.randn(1, 96, 27, 27, dtype=torch.float64)
        whole = nn.Conv2d(96, 256, 5, padding=2)
    halves = {name: values.chunk(2) for name, values in grouped.state_dict().items()}
    for number, tower in enumerate(towers):
        tower.load_state_dict({name: values[number] for name, values in halves.items()})
    with torch.no_grad():
        joined = torch.cat([tower(half) for tower, half in zip(towers, x.chunk(2, 1), strict=True)], 1)
        difference = (grouped(x) - joined).abs().max().item()
    of_tower, of_grouped, of_whole = (
        describe(m, 27, c).totals for m, c in ((towers[0], 48), (grouped, 96), (whole, 96))
    )
    rows = [
        ("two towers, 48 to 128 channels each", 2 * of_tower.params, 2 * of_tower.macs / 1e6, None),
        ("one convolution in two groups", of_grouped.params, of_grouped.macs / 1e6, difference),
        ("one convolution, every map sees all 96", of_whole.params, of_whole.macs / 1e6, None),
    ]
    columns = {"AlexNet conv2": "", "params": "", "MACs (M)": ",.1f", "largest difference from the towers": ".1e"}
    notes = ["lecture: the network is divided into two halves, one for each GPU. Same weights copied, float64"]
    return [Table("Grouped convolution = two towers", columns, rows, notes)]


def label_smoothing(classes: int = 1000, epsilon: float = 0.1) -> list[Table]:
    """The smoothed target distribution, and torch's loss against the cross-entropy with that distribution."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        logits = torch.randn(8, classes, dtype=torch.float64)
        labels = torch.randint(classes, (8,))
    onehot = functional.one_hot(labels, classes).double()
    target = (1 - epsilon) * onehot + epsilon / classes
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    difference = (functional.cross_entropy(logits, labels, label_smoothing=epsilon) - expected).abs().item()
    rows = [
        ("target of the true class", target.max().item()),
        ("target of every other class", target.min().item()),
        ("sum of the targets", target.sum(1)[0].item()),
        ("difference of torch's loss from the formula's", difference),
    ]
    notes = [
        "lecture, as the Inception-v2/v3 paper: q'(k|x) = (1 - epsilon) q(k|x) + epsilon u(k), u uniform over "
        f"{classes} classes, epsilon = {epsilon}: the true class gets 1 - epsilon + epsilon / {classes}"
    ]
    return [Table("Label smoothing", {"what": "", "computed": ".6g"}, rows, notes)]


def resnext_forms() -> list[Table]:
    """The three forms of ResNeXt's block with the same weights: largest difference from the grouped convolution."""
    from cnnbench.archs.resnext_forms import resnext_equivalence

    rows = [("(c) grouped convolution", 0.0), *resnext_equivalence().items()]
    columns = {"form (ResNeXt paper, Figure 3)": "", "largest difference from (c)": ".1e"}
    notes = [
        "outputs and input gradients, float64, same weights: lecture and paper are right, the three are one function"
    ]
    return [Table("ResNeXt's equivalent blocks", columns, rows, notes)]
