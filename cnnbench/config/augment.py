"""Augmentation of training images, `augment.*`: data/augment/ has the operations."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from cnnbench.config.fields import SHARE, Kind, Range, check_acting, group, key, require, value_of
from cnnbench.runtime.errors import nearest

CROPS = {
    "random_resized": Kind("random area and aspect, as torchvision draws them", ("scale", "ratio")),
    "random_sized": Kind("the same as fb.resnet.torch draws them", ("scale", "ratio")),
    "distorted_box": Kind("random height and aspect, as TensorFlow slim draws them", ("scale", "ratio")),
    "random": Kind("short side to image_size / crop_ratio, then a random square"),
    "fixed_random": Kind("the same within the central square of that side"),
    "ten_fixed": Kind("one of the corners or the centre of that square (mirrored by flip.p=0.5)"),
    "scale_jitter": Kind("short side drawn from `short_side`, then a random square", ("short_side",)),
    "padded": Kind("as center, with a border, then a random square", ("padding", "border")),
    "center": Kind("as in evaluation"),
}
POLICIES = {
    "randaugment": Kind(
        "random operations of one strength", ("count", "magnitude", "magnitude_std", "each_p", "operations")
    ),
    "autoaugment": Kind("the policy that was learnt on ILSVRC"),
    "trivialaugment": Kind("one random operation of random strength"),
    "augmix": Kind("a mixture of chains of operations", ("severity", "width", "depth", "alpha")),
}
OPERATION_SETS = ("torchvision", "timm")  # of randaugment
BORDERS = ("mean", "black", "reflect")
AT = 224  # the side of images that papers' scales are for
FILLS = ("zero", "mean", "noise")
BATCH = ("mixup", "cutmix")  # on whole batches, after all of augment.order


@dataclass(frozen=True)
class CropConfig:
    kind: str = key("the part of the image", "random_resized", kinds=CROPS)
    scale: list[float] = key("crops of random area: share of the image's area, from and to", [0.08, 1.0])
    ratio: list[float] = key("crops of random area: width / height, from and to", [3 / 4, 4 / 3])
    short_side: list[int] = key(
        "scale_jitter: short side of the resized image, from and to, pixels, for training images of 224; in proportion "
        "for others",
        [256, 512],
    )
    padding: int = key("padded: width of the border, pixels", 4, range=Range(at_least=0))
    border: str = key(
        "padded: mean: the network's mean colour, which to it is 0 (for grey files the mean of the three); black; "
        "reflect: the image mirrored at its edges",
        "mean",
        choices=BORDERS,
    )


@dataclass(frozen=True)
class FlipConfig:
    p: float = key("probability of mirroring left to right", 0.0, range=SHARE)


@dataclass(frozen=True)
class RotateConfig:
    p: float = key("probability", 0.0, range=SHARE)
    degrees: float = key("largest angle to either side, degrees", 15.0, range=Range(at_least=0, at_most=180))


@dataclass(frozen=True)
class ShiftConfig:
    p: float = key("probability", 0.0, range=SHARE)
    fraction: float = key("largest shift along each axis, as a share of the side", 0.1, range=SHARE)


@dataclass(frozen=True)
class ContrastConfig:
    p: float = key("probability of contrast stretching, each channel on its own", 0.0, range=SHARE)
    cutoff: float = key(
        "percent of the darkest and of the lightest pixels that saturate, in [0, 50)",
        2.0,
        range=Range(at_least=0, below=50),
    )


@dataclass(frozen=True)
class EqualizeConfig:
    p: float = key("probability of histogram equalisation, each channel on its own", 0.0, range=SHARE)


@dataclass(frozen=True)
class ClaheConfig:
    p: float = key("probability of adaptive histogram equalisation (CLAHE)", 0.0, range=SHARE)
    clip_limit: float = key(
        "most pixels of a level in a tile, in multiples of the mean over all levels",
        2.0,
        range=Range(above=0, at_most=256),
    )
    grid: int = key("tiles along each side of the image", 8, range=Range(at_least=1))
    channels: str = key(
        "luma: the lightness alone; each: every channel on its own",
        "luma",
        choices=("luma", "each"),
        source="our choice: colours stay",
    )


@dataclass(frozen=True)
class PcaConfig:
    p: float = key("probability of moving all pixels along the principal axes of ILSVRC's colours", 0.0, range=SHARE)
    std: float = key(
        "standard deviation of the move along an axis, in those of the colours",
        0.1,
        range=Range(at_least=0),
    )


@dataclass(frozen=True)
class JitterConfig:
    p: float = key("probability of colour jitter", 0.0, range=SHARE)
    brightness: float = key("factor drawn from 1 - this (at least 0) to 1 + this", 0.4, range=Range(at_least=0))
    contrast: float = key("factor, drawn likewise, on the distance from the mean grey", 0.4, range=Range(at_least=0))
    saturation: float = key(
        "factor, drawn likewise, on the distance from each pixel's grey",
        0.4,
        range=Range(at_least=0),
    )
    hue: float = key(
        "turn of the hue, drawn from - this to + this, in full turns",
        0.0,
        range=Range(at_least=0, at_most=0.5),
        source="none is named",
    )
    random_order: bool = key("the four in random order; else as they are listed here", True)


@dataclass(frozen=True)
class PolicyConfig:
    p: float = key("probability of a learnt or random policy of several operations", 0.0, range=SHARE)
    kind: str = key("the policy", "randaugment", kinds=POLICIES)
    count: int = key("randaugment: operations in a row", 2, range=Range(at_least=1))
    magnitude: float = key("randaugment: strength of each, from 0 to 30", 9.0, range=Range(at_least=0, at_most=30))
    magnitude_std: float = key(
        "randaugment: standard deviation of the strength around `magnitude`",
        0.0,
        range=Range(at_least=0),
    )
    each_p: float = key("randaugment: probability that each of the `count` acts", 1.0, range=SHARE)
    operations: str = key(
        "randaugment: torchvision's 14, or timm's 15 of increasing strength: invert and solarize_add in place of "
        "identity, posterize to fewer bits, translations not by whole pixels",
        "torchvision",
        choices=OPERATION_SETS,
    )
    fill: str = key(
        "black, or mean: the mean colour of ILSVRC, where rotation, shear and translation leave nothing",
        "black",
        choices=("black", "mean"),
    )
    resampling: str = key(
        "of rotation, shear and translation: bilinear, or drawn: each time bilinear or bicubic",
        "bilinear",
        choices=("bilinear", "drawn"),
    )
    severity: int = key(
        "augmix: greatest strength of an operation, from 1 to 10",
        3,
        range=Range(at_least=1, at_most=10),
    )
    width: int = key("augmix: chains of operations that are mixed", 3, range=Range(at_least=1))
    depth: int = key("augmix: operations in a chain; -1: drawn from 1 to 3", -1, range=Range(at_least=-1))
    alpha: float = key(
        "augmix: parameter of the Dirichlet and Beta distributions of the shares",
        1.0,
        range=Range(above=0),
    )


@dataclass(frozen=True)
class EraseConfig:
    p: float = key("probability of erasing a random rectangle", 0.0, range=SHARE)
    scale: list[float] = key("share of the image's area, from and to", [0.02, 0.33])
    ratio: list[float] = key("height / width, from and to", [0.3, 3.3])
    fill: str = key("zero: black; mean: the mean colour of ILSVRC; noise: random values", "mean", choices=FILLS)


@dataclass(frozen=True)
class MixupConfig:
    p: float = key("probability that the images and labels of a batch are blended in pairs", 0.0, range=SHARE)
    alpha: float = key("parameter of the Beta distribution of the share", 0.2, range=Range(above=0))


@dataclass(frozen=True)
class CutmixConfig:
    p: float = key(
        "probability that each image of a batch gets a rectangle of another, and its share of the label",
        0.0,
        range=SHARE,
    )
    alpha: float = key("parameter of the Beta distribution of the share", 1.0, range=Range(above=0))


@dataclass(frozen=True)
class AugmentConfig:
    order: list[str] = key(
        "the operations on each image in their order",
        [
            *("crop", "flip", "rotate", "shift", "contrast", "equalize", "clahe"),
            *("jitter", "pca", "policy", "erase"),
        ],
    )
    device: str = key(
        "where operations after the crop run: cpu: in the loader; gpu: on the training device, as a batch",
        "cpu",
        choices=("cpu", "gpu"),
    )
    crop: CropConfig = group(CropConfig, "the training crop")
    flip: FlipConfig = group(FlipConfig, "mirroring")
    rotate: RotateConfig = group(RotateConfig, "rotation about the centre")
    shift: ShiftConfig = group(ShiftConfig, "translation by whole pixels")
    contrast: ContrastConfig = group(ContrastConfig, "contrast stretching")
    equalize: EqualizeConfig = group(EqualizeConfig, "histogram equalisation")
    clahe: ClaheConfig = group(ClaheConfig, "adaptive histogram equalisation")
    jitter: JitterConfig = group(JitterConfig, "colour jitter")
    pca: PcaConfig = group(PcaConfig, "colours moved along their principal axes")
    policy: PolicyConfig = group(PolicyConfig, "RandAugment, AutoAugment, TrivialAugment, AugMix")
    erase: EraseConfig = group(EraseConfig, "random erasing")
    mixup: MixupConfig = group(MixupConfig, "blended pairs; with cutmix too, each batch draws one of the two")
    cutmix: CutmixConfig = group(CutmixConfig, "rectangles of other images")
    repeats: int = key(
        "times that each image comes in a global batch, with other draws each time",
        1,
        range=Range(at_least=1),
    )


def check_augment(augment: AugmentConfig, size: int) -> None:
    """Raise UserError for the first key that cannot work for images of side `size`."""
    groups = [item.name for item in dataclasses.fields(augment) if dataclasses.is_dataclass(item.default_factory)]
    _check_order(augment, [name for name in groups if name not in BATCH])
    require(
        augment.clahe.p == 0 or augment.clahe.grid <= size,
        f"augment.clahe.grid={augment.clahe.grid} is more than the {size} pixels of a side: give at most {size}",
    )
    require(augment.policy.depth != 0, "augment.policy.depth=0 is not possible: use -1 (drawn), or 1 and more")
    check_acting("augment.policy", augment.policy, POLICIES)
    _check_pair(augment, "crop.scale", 1)
    _check_pair(augment, "crop.ratio", float("inf"))
    _check_pair(augment, "crop.short_side", float("inf"))
    _check_pair(augment, "erase.scale", 1)
    _check_pair(augment, "erase.ratio", float("inf"))
    _check_crop(augment)


def _check_order(augment: AugmentConfig, operations: list[str]) -> None:
    for name in augment.order:
        require(
            name not in BATCH, f"augment.order takes no '{name}': it acts on whole batches, at the end; leave it out"
        )
        require(
            name in operations,
            f"augment.order has no operation '{name}'{nearest(name, operations)}; known: {', '.join(operations)}",
        )
    require(augment.order.count("crop") == 1, "augment.order needs 'crop' exactly once: it sets the image size")
    require(len(set(augment.order)) == len(augment.order), "augment.order names an operation twice")
    if augment.device == "gpu":
        early = augment.order[: augment.order.index("crop")]
        require(
            not early,
            f"augment.device=gpu needs every operation after the crop, where images have one size: move crop before "
            f"{', '.join(early)} in augment.order, or leave augment.device=cpu",
        )
        require(
            augment.policy.p == 0,
            f"augment.device=gpu has no policies (augment.policy.p={augment.policy.p:g}): leave augment.device=cpu",
        )


def _check_crop(augment: AugmentConfig) -> None:
    crop = augment.crop
    require(
        crop.kind != "scale_jitter" or crop.short_side[0] >= AT,
        f"augment.crop.short_side={crop.short_side} is smaller than the crop: it is for images of {AT} pixels, in "
        f"proportion at other sides, so give at least {AT}",
    )
    require(
        crop.kind != "ten_fixed" or augment.flip.p == 0.5,
        "augment.crop.kind=ten_fixed needs augment.flip.p=0.5: half of its ten crops are mirrored",
    )


def _check_pair(augment: AugmentConfig, name: str, high: float) -> None:
    pair = value_of(augment, name)
    require(
        len(pair) == 2 and 0 < pair[0] <= pair[1] <= high,
        f"augment.{name}={pair} is not a range: give two values above 0, the smaller first"
        + (f", at most {high:g}" if high < float("inf") else ""),
    )
