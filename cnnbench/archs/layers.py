"""Layers and helpers that several families share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypedDict

import torch
from torch import nn

from cnnbench.runtime.errors import nearest

Networks = dict[str, tuple[type[nn.Module], dict[str, Any]]]  # key -> class and arguments, as registry.py collects them


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, ceil: bool = False) -> int:
    """Side length after a convolution or pooling: (N + 2P - K) / S + 1, rounded down, or up if `ceil`.

    As in torch, a last window that would start in the right padding is dropped.
    """
    span = size + 2 * padding - kernel
    out = (-(-span // stride) if ceil else span // stride) + 1
    return out - 1 if ceil and (out - 1) * stride >= size + padding else out


def require_size(network: str, image_size: int, smallest: int) -> None:
    """Raise ValueError if an image of side `image_size` is too small for `network`."""
    if image_size < smallest:
        raise ValueError(f"image size {image_size} is too small for {network}: it needs at least {smallest}")


def require_choice(network: str, what: str, value: object, allowed: Iterable[object]) -> None:
    """Raise ValueError if `value` is not one of `allowed` for the option of `network` that `what` describes."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{network} has no {what} '{value}': choose one of {', '.join(map(str, allowed))}")


class LRNForm(TypedDict):
    """Arguments of LocalResponseNorm."""

    size: int
    alpha: float
    beta: float
    k: float


# Named forms of local response normalisation, alpha on the sum.
LRN_FORMS: dict[str, LRNForm] = {
    "paper": dict(size=5, alpha=1e-4, beta=0.75, k=2.0),
    "cuda_convnet": dict(size=5, alpha=2e-5, beta=0.75, k=2.0),  # the AlexNet authors' code divides 1e-4 by the size
    "caffe": dict(size=5, alpha=2e-5, beta=0.75, k=1.0),
    # TensorFlow's graph of GoogLeNet, inception5h.zip: depth_radius=5, alpha of each element, bias=2
    "inception5h": dict(size=11, alpha=1e-4, beta=0.5, k=2.0),
}


NO_LRN = "none"


def lrn_form(network: str, lrn: str | Mapping[str, Any]) -> LRNForm | None:
    """What the option `lrn` of `network` means: a key of LRN_FORMS; four numbers as torch.nn.LocalResponseNorm, Caffe
    and cuda-convnet take them, {size, alpha, beta, k}, with an alpha that is divided by the size; or "none", no
    normalisation: None.

    Raises ValueError, in one sentence, for an unknown form and for numbers that cannot be.
    """
    if not isinstance(lrn, Mapping):
        require_choice(network, "LRN form", lrn, (*LRN_FORMS, NO_LRN))
        return None if lrn == NO_LRN else LRN_FORMS[lrn]
    keys = list(LRNForm.__annotations__)
    for key in lrn:
        if key not in keys:
            raise ValueError(f"lrn of {network} has no '{key}'{nearest(str(key), keys)}; it takes: {', '.join(keys)}")
    for key in keys:
        if key not in lrn:
            raise ValueError(f"lrn of {network} lacks {key}: give a number for each of {', '.join(keys)}")
        if not isinstance(lrn[key], int | float) or isinstance(lrn[key], bool) or not math.isfinite(lrn[key]):
            raise ValueError(f"lrn of {network} has {key}={lrn[key]}, which is not a number")
    size, alpha, beta, k = (lrn[key] for key in keys)
    if size < 1 or size % 2 != 1:
        raise ValueError(f"lrn of {network} has size={size}: it is an odd number of channels, of at least 1")
    if alpha < 0 or beta < 0 or k <= 0:
        raise ValueError(f"lrn of {network} has alpha={alpha}, beta={beta}, k={k}: at least 0, and k above 0")
    return LRNForm(size=int(size), alpha=alpha / size, beta=beta, k=k)


class LocalResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation over channels, computed in float32 also under autocast (a sum of squares).

    `alpha` multiplies the SUM over the window, as the paper writes it (Krizhevsky et al. 2012, section 3.3); torch
    divides its own alpha by the window size.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__(size, alpha * size, beta, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # No operation in it is one that autocast would lower again; torch.autocast itself rejects the meta device.
        return super().forward(x.float()).to(x.dtype)


def local_response_norm(form: LRNForm | None) -> nn.Module:
    """The layer of a form that `lrn_form` gives: of None one that changes nothing."""
    return nn.Identity() if form is None else LocalResponseNorm(**form)


# The option `activation` of a network: what its ReLUs become. The leak is that of Maas et al. 2013.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": partial(nn.LeakyReLU, 0.01, inplace=True),
}


def activation_layer(network: str, activation: str) -> Callable[[], nn.Module]:
    """What makes the activations of `network`: a key of ACTIVATIONS. Raises ValueError for another."""
    require_choice(network, "activation", activation, ACTIVATIONS)
    return ACTIVATIONS[activation]


def fully_connected(
    inputs: int, num_classes: int, dropout: float, activation: Callable[[], nn.Module] = ACTIVATIONS["relu"]
) -> nn.Sequential:
    """The classifier of AlexNet, ZFNet and VGG: (N, inputs) -> (N, num_classes), over twice 4096 units."""
    return nn.Sequential(
        nn.Linear(inputs, 4096),
        activation(),
        nn.Dropout(dropout),
        nn.Linear(4096, 4096),
        activation(),
        nn.Dropout(dropout),
        nn.Linear(4096, num_classes),
    )


class StochasticDepth(nn.Module):
    """In training, a residual branch is left out of each image with probability `p`, and scaled by 1 / (1 - p) where it
    stays; in evaluation nothing happens (Huang et al. 2016, who leave it out of a whole batch and scale in evaluation).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= self.p
        return x * (kept / (1 - self.p)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


class ResidualBlock(Protocol):
    """A block whose residual branch can be left out."""

    stochastic_depth: StochasticDepth


def set_stochastic_depth(blocks: Sequence[ResidualBlock], last: float) -> None:
    """Give block l of L, in the network's order, the probability `last` x l / L (Huang et al. 2016, equation 4), as its
    `stochastic_depth`. Raises ValueError unless `last` is in [0, 1)."""
    if not 0 <= last < 1:
        raise ValueError(f"stochastic_depth={last} is not a probability in [0, 1)")
    for i, block in enumerate(blocks):
        block.stochastic_depth.p = last * (i + 1) / len(blocks)


def stem_layers(network: str, form: str, in_channels: int, channels: int) -> tuple[nn.Conv2d, nn.Module]:
    """First convolution of a residual or dense network, and the pooling that follows it.

    `form`: "imagenet" (7x7 / 2, later max pool 3x3 / 2: maps of a quarter of the side) or "cifar" (3x3, no pooling).
    """
    require_choice(network, "stem", form, ("imagenet", "cifar"))
    if form == "cifar":
        return nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.Identity()
    conv = nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False)
    return conv, nn.MaxPool2d(3, stride=2, padding=1)  # fb.resnet.torch's; the papers' Caffe pads none and rounds up


def stage_widths(network: str, depths: tuple[int, ...], widths: tuple[int, ...], widen: float) -> list[int]:
    """Width of each stage of a residual network, `widths` times `widen`; ValueError if the numbers make no network."""
    if len(depths) != len(widths) or min(depths) < 1:
        raise ValueError(f"{network} cannot have depths {tuple(depths)}: give {len(widths)} numbers of at least 1")
    if min(widths) * widen < 1:
        raise ValueError(f"{network} cannot be widened by {widen}: its narrowest stage needs at least one channel")
    return [round(width * widen) for width in widths]


def initialise(
    module: nn.Module,
    weight: Callable[[torch.Tensor], object],
    bias: float = 0.0,
    linear: Callable[[torch.Tensor], object] | None = None,
) -> None:
    """Initialise every convolution and linear layer below `module`: weights by `weight`, biases to `bias`.

    `linear`, if given, takes the place of `weight` for linear layers. Batch normalisation keeps torch's start:
    scale 1, shift 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and not layer.weight.is_meta:  # no storage on meta
            fill = linear if linear is not None and isinstance(layer, nn.Linear) else weight
            fill(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)


def he_normal(weight: torch.Tensor) -> None:
    """He initialisation over the fan-out, N(0, 2 / (k k c_out)), as in fb.resnet.torch (He et al. 2015)."""
    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def he_normal_in(weight: torch.Tensor) -> None:
    """He initialisation over the fan-in, N(0, 2 / (k k c_in)), as Wide ResNet's code has it (models/utils.lua:5)."""
    nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu")


def fan_in_uniform(weight: torch.Tensor) -> None:
    """Uniform in +-1 / sqrt(fan-in): Torch's start of a linear layer, which fb.resnet.torch leaves as it is.

    For a classifier, unlike `he_normal`, it does not grow as the number of classes shrinks.
    """
    bound = weight[0].numel() ** -0.5
    nn.init.uniform_(weight, -bound, bound)


RESIDUAL_STARTS = {"fan_out": he_normal, "fan_in": he_normal_in, "wrn": he_normal_in}


def initialise_residual(name: str, network: nn.Module, form: str) -> None:
    """Initialise a residual network. `form`: "fan_out" (fb.resnet.torch), "fan_in" (Wide ResNet's code for ILSVRC), or
    "wrn" (its code for CIFAR: over the fan-in too, and scales of batch normalisation uniform in [0, 1), Torch's start,
    which fb.resnet.torch sets to 1)."""
    require_choice(name, "init", form, RESIDUAL_STARTS)
    initialise(network, RESIDUAL_STARTS[form], linear=fan_in_uniform)
    for layer in network.modules():
        if form == "wrn" and isinstance(layer, nn.BatchNorm2d) and not layer.weight.is_meta:
            nn.init.uniform_(layer.weight)
