"""Claims about batch normalisation and the scaling of residuals."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from cnnbench.analysis.tables import Table
from cnnbench.archs.folding import fold_batch_norm
from cnnbench.archs.inception_resnet import Residual
from cnnbench.archs.norms import batch_norms
from cnnbench.archs.registry import build, options_of

FOLDED = ("resnet18", "bn_inception", "preact_resnet18", "densenet_bc100_12")
SIDE = 32  # pixels


def batch_norm(network: str | None = None) -> list[Table]:
    """The formula in training and at test, and networks whose batch normalisation is folded into their convolutions.

    `network`: one key instead of those of FOLDED. Raises ValueError for a network without batch normalisation.
    """
    return [_formula(), _folded((network,) if network else FOLDED)]


def _formula() -> Table:
    """torch's layer against the paper's algorithms 1 and 2, float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(8, 3, 5, 5, dtype=torch.float64) * 2 + 1
    layer = nn.BatchNorm2d(3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        in_training = (layer(x) - _normalised(layer, x, mean, variance)).abs().max().item()
        running = 0.1 * mean, 0.9 + 0.1 * x.var((0, 2, 3))
        at_test = (layer.eval()(x) - _normalised(layer, x, *running)).abs().max().item()
    rows = [
        ("training", "of the batch; the variance divided by m", in_training),
        ("test", "running: 0.9 of what was, 0.1 of the batch's; the variance divided by m - 1", at_test),
    ]
    columns = {"in": "", "mean and variance": "", "torch less the formula": ".1e"}
    notes = [
        "lecture: Inception v2 adds batch normalisation. y = scale (x - mean) / sqrt(variance + epsilon) + shift, for "
        "each map, over all images and pixels (Ioffe and Szegedy 2015, algorithms 1 and 2)"
    ]
    return Table("Batch normalisation", columns, rows, notes)


def _normalised(layer: nn.BatchNorm2d, x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    shaped = [value[None, :, None, None] for value in (mean, variance, layer.weight, layer.bias)]
    return shaped[2] * (x - shaped[0]) / (shaped[1] + layer.eps).sqrt() + shaped[3]


def _folded(names: tuple[str, ...]) -> Table:
    rows = []
    for name in names:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            rows.append((name, *_fold(name)))
    columns = {
        "network": "",
        "batch normalisations": "",
        "folded": "",
        "left": "",
        "largest output": ".2g",
        "largest difference": ".1e",
    }
    notes = [
        "at test the layer is linear: it becomes part of the convolution that it reads, w g / sqrt(v + epsilon); "
        "float64",
        "left are those that read a sum or a concatenation: of pre-activation networks and DenseNets about half",
    ]
    return Table("Batch normalisation folded into the convolution before it", columns, rows, notes)


def _fold(name: str) -> tuple[int, int, int, float, float]:
    """Batch normalisations of the network; folded, left; the largest output, and the largest difference."""
    sized = {"image_size": SIDE} if "image_size" in options_of(name) else {}
    network = build(name, 10, **sized).double()
    count = len(batch_norms(network))
    if not count:
        raise ValueError(f"{name} has no batch normalisation to fold: choose a network that has, such as vgg16_bn")
    with torch.no_grad():
        network.train()(torch.randn(4, 3, SIDE, SIDE, dtype=torch.float64))  # so that the statistics are not 0 and 1
        image = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
        expected = network.eval()(image)
        folded, done, left = fold_batch_norm(network, image[:1])
        return count, done, left, expected.abs().max().item(), (folded(image) - expected).abs().max().item()


SCALES = (1.0, 0.3, 0.2, 0.1)
GROWTH_SIDE = 75  # pixels, the smallest that the network takes


@cache
def activation_growth(seed: int = 0) -> dict[float, list[float]]:
    """Scale of the residuals -> deviation of the sum after each residual block of Inception-ResNet-v2 at its start, in
    training mode, on noise."""
    found = {}
    for scale in SCALES:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            network = build("inception_resnet_v2", 10, scales=(scale,) * 3).train()
            blocks = [module for module in network.modules() if isinstance(module, Residual)]
            after: list[float] = []
            hooks = [
                block.register_forward_hook(
                    lambda module, inputs, output, after=after: after.append(output.std().item())
                )
                for block in blocks
            ]
            network(torch.randn(4, 3, GROWTH_SIDE, GROWTH_SIDE))
            for hook in hooks:
                hook.remove()
        found[scale] = after
    return found


def residual_scaling() -> list[Table]:
    """How much the activations of Inception-ResNet-v2 grow over its residual blocks, by the scale of the residuals."""
    rows = []
    for scale, after in activation_growth().items():
        a, b = after[:10], after[10:30]
        rows.append((scale, len(after), a[0], a[-1] / a[0], b[-1] / b[0], after[-1] / after[30]))
    columns = {
        "scale": ".1f",
        "residual blocks": "",
        "deviation after the first": ".2f",
        "growth over 10 of A": ".2f",
        "over 20 of B": ".2f",
        "over 10 of C": ".2f",
    }
    notes = [
        'Inception-v4 paper, section 3.3: with more than 1000 filters the residual variants "just died" early in '
        "training; "
        "scaling the residuals by 0.1 to 0.3 before the addition made training stable",
        "deviation of the sum after each block, at the network's start, in training mode, on noise of 75 pixels: the "
        "last convolution of a branch has no batch normalisation, so that each block adds its variance",
        "whether a network dies is not shown here: that takes its training on ILSVRC",
    ]
    return [Table("Scaled residuals", columns, rows, notes)]
