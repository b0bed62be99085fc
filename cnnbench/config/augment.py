"""The schema of augmentation, `augment.*`: what may happen to training images. Checks are in checks_augment.py."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import group, key

CROPS = ("random_resized", "random", "fixed_random", "ten_fixed", "scale_jitter", "padded", "center")
POLICY_KEYS = {  # kind -> the keys that act with it, beside those that act with every kind
    "randaugment": ("count", "magnitude", "magnitude_std", "each_p"),
    "autoaugment": (),
    "trivialaugment": (),
    "augmix": ("severity", "width", "depth", "alpha"),
}
BORDERS = ("mean", "black", "reflect")
AT = 224  # the side of images that papers' scales are for
FILLS = ("zero", "mean", "noise")


@dataclass(frozen=True)
class CropConfig:
    kind: str = key(
        "random_resized: random area and aspect; random: short side to image_size / crop_ratio, then a random square; "
        "fixed_random: the same within the central square of that side; ten_fixed: one of its corners or its centre "
        "(mirrored by flip.p=0.5); scale_jitter: short side drawn from `short_side`, then a random square; padded: as "
        "center, with a border of `padding` pixels, then a random square; center: as in evaluation",
        "random_resized",
        choices=CROPS,
    )
    scale: list[float] = key("random_resized: share of the image's area, from and to", [0.08, 1.0])
    ratio: list[float] = key("random_resized: width / height, from and to", [3 / 4, 4 / 3])
    short_side: list[int] = key(
        "scale_jitter: short side of the resized image, from and to, pixels, for training images of 224; in proportion "
        "for others",
        [256, 512],
    )
    padding: int = key("padded: width of the border, pixels", 4)
    border: str = key(
        "padded: mean: the network's mean colour, which to it is 0 (for grey files the mean of the three); black; "
        "reflect: the image mirrored at its edges",
        "mean",
        choices=BORDERS,
    )


@dataclass(frozen=True)
class FlipConfig:
    p: float = key("probability of mirroring left to right", 0.0)


@dataclass(frozen=True)
class RotateConfig:
    p: float = key("probability", 0.0)
    degrees: float = key("largest angle to either side, degrees", 15.0)


@dataclass(frozen=True)
class ShiftConfig:
    p: float = key("probability", 0.0)
    fraction: float = key("largest shift along each axis, as a share of the side", 0.1)


@dataclass(frozen=True)
class ContrastConfig:
    p: float = key("probability of contrast stretching, each channel on its own", 0.0)
    cutoff: float = key("percent of the darkest and of the lightest pixels that saturate, in [0, 50)", 2.0)


@dataclass(frozen=True)
class EqualizeConfig:
    p: float = key("probability of histogram equalisation, each channel on its own", 0.0)


@dataclass(frozen=True)
class ClaheConfig:
    p: float = key("probability of adaptive histogram equalisation (CLAHE)", 0.0)
    clip_limit: float = key("most pixels of a level in a tile, in multiples of the mean over all levels", 2.0)
    grid: int = key("tiles along each side of the image", 8)
    channels: str = key("luma: the lightness alone; each: every channel on its own", "luma", choices=("luma", "each"))


@dataclass(frozen=True)
class PcaConfig:
    p: float = key("probability of moving all pixels along the principal axes of ILSVRC's colours", 0.0)
    std: float = key("standard deviation of the move along an axis, in those of the colours", 0.1)


@dataclass(frozen=True)
class JitterConfig:
    p: float = key("probability of colour jitter", 0.0)
    brightness: float = key("factor drawn from 1 - this (at least 0) to 1 + this", 0.4)
    contrast: float = key("factor, drawn likewise, on the distance from the mean grey", 0.4)
    saturation: float = key("factor, drawn likewise, on the distance from each pixel's grey", 0.4)
    hue: float = key("turn of the hue, drawn from - this to + this, in full turns", 0.0)
    random_order: bool = key("the four in random order; else as they are listed here", True)


@dataclass(frozen=True)
class PolicyConfig:
    p: float = key("probability of a learnt or random policy of several operations", 0.0)
    kind: str = key("the policy; autoaugment: the one learnt on ILSVRC", "randaugment", choices=tuple(POLICY_KEYS))
    count: int = key("randaugment: operations in a row", 2)
    magnitude: float = key("randaugment: strength of each, from 0 to 30", 9.0)
    magnitude_std: float = key("randaugment: standard deviation of the strength around `magnitude`", 0.0)
    each_p: float = key("randaugment: probability that each of the `count` acts", 1.0)
    severity: int = key("augmix: greatest strength of an operation, from 1 to 10", 3)
    width: int = key("augmix: chains of operations that are mixed", 3)
    depth: int = key("augmix: operations in a chain; -1: drawn from 1 to 3", -1)
    alpha: float = key("augmix: parameter of the Dirichlet and Beta distributions of the shares", 1.0)


@dataclass(frozen=True)
class EraseConfig:
    p: float = key("probability of erasing a random rectangle", 0.0)
    scale: list[float] = key("share of the image's area, from and to", [0.02, 0.33])
    ratio: list[float] = key("height / width, from and to", [0.3, 3.3])
    fill: str = key("zero: black; mean: the mean colour of ILSVRC; noise: random values", "mean", choices=FILLS)


@dataclass(frozen=True)
class MixupConfig:
    p: float = key("probability that the images and labels of a batch are blended in pairs", 0.0)
    alpha: float = key("parameter of the Beta distribution of the share", 0.2)


@dataclass(frozen=True)
class CutmixConfig:
    p: float = key(
        "probability that each image of a batch gets a rectangle of another, and its share of the label", 0.0
    )
    alpha: float = key("parameter of the Beta distribution of the share", 1.0)


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
    repeats: int = key("times that each image comes in a global batch, with other draws each time", 1)
