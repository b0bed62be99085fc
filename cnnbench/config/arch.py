"""The network, `arch.*`; its values are in conf/arch/."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cnnbench.config.fields import MAY_CHANGE, SHARE, Range, key, require

INTERPOLATIONS = ("bilinear", "bicubic")
CROP_RATIO = Range(above=0, at_most=2)
DEPTH_FROM = ("input", "first_block")


def without_field(crop_ratio: float) -> float:
    """`crop_ratio` for all but centre crops, which alone may lie in a field around the image."""
    return min(1, crop_ratio)


@dataclass(frozen=True)
class ArchConfig:
    name: str = key("key of the network")
    image_size: int = key("native side of the input, pixels")
    smallest_image: int = key("smallest side of the input that the network can take, pixels")
    sample_image_size: int = key("side used by default on the bundled sample (28x28 images), pixels")
    crop_ratio: float = key(
        "evaluation: image_size / short side after resizing; above 1, of a centre crop: the image in a black field",
        range=CROP_RATIO,
    )
    interpolation: str = key("resampling of images", choices=INTERPOLATIONS)
    mean: list[float] = key("subtracted from each channel (R, G, B), in [0, 1]", [])
    std: list[float] = key("divides each channel (R, G, B), in [0, 1]", [])
    learning_rate: float = key("rate per 256 images at which plain SGD trains the network")
    recipe: str | None = key("its paper's recipe, which recipe=paper means; null: none", None, note=MAY_CHANGE)
    one_size: bool = key(
        "its classifier, or an auxiliary one, is as wide as a map: it takes images of one side only", False
    )
    not_whole: str | None = key("why it cannot be tested on whole images; null: it can", None)
    in_channels: int = key("input channels: 3, or 1 for grey-scale", 3)
    dropout: float | None = key(
        "dropout probability in [0, 1); null: the paper's",
        None,
        range=Range(at_least=0, below=1),
        source="the network's own, of its paper",
    )
    stochastic_depth: float | None = key(
        "residual networks: probability in [0, 1) of leaving out the last block in training, falling linearly towards "
        "the input; null: none",
        None,
        range=Range(at_least=0, below=1),
        source="none is named",
    )
    stochastic_depth_from: str = key(
        "where that line is at 0: input: block l of L has a share of l / L; first_block: (l - 1) / (L - 1)",
        "input",
        choices=DEPTH_FROM,
        source="Huang et al. 2016 (Stochastic Depth), equation 4",
    )
    zero_init: bool = key(
        "the last scale of each residual block starts at 0, or its last convolution where none follows",
        False,
        source="none is named",
    )
    blurpool: bool = key(
        "a map is blurred before a convolution with a stride reads it, where it has 16 channels or more",
        False,
        source="no blurring is named",
    )
    bn_momentum: float | None = key(
        "batch normalisation: share of a batch in the running mean and variance after it (TensorFlow's and Keras's "
        "momentum is one less it), for each part of a step; null: the network's own",
        None,
        range=SHARE,
        source="0.1: Torch's, in nn/BatchNormalization.lua; where there is batch normalisation",
    )
    bn_epsilon: float | None = key(
        "batch normalisation: added to the variance; null: the network's own",
        None,
        range=Range(above=0),
        source="the network's own: arch.options.epsilon, or Torch's 1e-5; where there is batch normalisation",
    )
    bn_scale: bool = key(
        "batch normalisation learns a scale; false: it stays as it begins, at 1",
        True,
        source="Ioffe, Szegedy 2015, section 3; where there is batch normalisation",
    )
    options: dict[str, Any] = key("the network's own switches", {})


def check_arch(arch: ArchConfig) -> None:
    """Raise UserError for a network's key that cannot work."""
    require(arch.in_channels in (1, 3), f"arch.in_channels={arch.in_channels} is not possible: use 1 (grey) or 3")
    for name in ("mean", "std"):
        require(len(getattr(arch, name)) == 3, f"arch.{name} needs three values (R, G, B)")
    require(all(map(math.isfinite, arch.mean)), "arch.mean needs numbers")
    require(all(0 < value < math.inf for value in arch.std), "arch.std needs values above 0")


def check_size(arch: ArchConfig, size: int) -> None:
    """Raise UserError if images of side `size` are too small for the network."""
    require(
        size >= arch.smallest_image,
        f"image_size={size} is too small for {arch.name}: it needs at least {arch.smallest_image} pixels",
    )


def from_torchvision(weights: str) -> bool:
    """Whether `weights` means what torchvision publishes, not a file: torchvision, or torchvision:NAME."""
    return weights.partition(":")[0] == "torchvision"
