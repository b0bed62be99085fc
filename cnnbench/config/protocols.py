"""Test protocols by name: which views of an image a network sees, as data. The class probabilities (softmax) that it
gives for them are averaged. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.arch import without_field
from cnnbench.config.augment import AT

CENTER, WHOLE, BOTH_SIDES = "center", "whole", "both_sides"


@dataclass(frozen=True)
class Protocol:
    """`crops`: CENTER, a key of evaluation_crops.CROP_SETS, WHOLE: the uncropped image, or BOTH_SIDES: the central
    share crop_ratio of each side, resized to a square. `scales`: short sides to which images are resized, pixels, for
    image_size 224 (others in proportion); (): image_size / crop_ratio. `mirrored`: each view also mirrored left to
    right. `what`: the crops in words. `crop_ratio`: its own, in place of the network's. `draws`: masks of its dropout
    under which the network sees them; 0: none is at work."""

    crops: str
    scales: tuple[int, ...]
    mirrored: bool
    what: str
    crop_ratio: float | None = None
    draws: int = 0

    @property
    def whole(self) -> bool:
        return self.crops == WHOLE

    @property
    def single_crop(self) -> bool:
        """Whether an image is seen once, in one crop, as papers say "single crop"."""
        return self.crops in (CENTER, BOTH_SIDES) and not self.mirrored and not self.draws

    @property
    def takes_scales(self) -> bool:
        """Whether the key `scales` acts: else crop_ratio alone says how much of an image is seen."""
        return self.crops not in (CENTER, BOTH_SIDES)

    @property
    def takes_interpolation(self) -> bool:
        """Whether images are resampled as the network's or the command's `interpolation` says."""
        return self.crops != BOTH_SIDES


# The papers average probabilities too; exceptions and what they leave open are at the line.
PROTOCOLS: dict[str, Protocol] = {
    "center": Protocol(CENTER, (), False, "one centre crop"),
    "flip": Protocol(CENTER, (), True, "the centre crop"),
    # Gal, Ghahramani 2016, section 4: between 10 and 1000 forward passes
    "monte_carlo_dropout": Protocol(CENTER, (), False, "one centre crop", draws=50),
    # TensorFlow slim, preprocessing/inception_preprocessing.py, preprocess_for_eval
    "inception": Protocol(BOTH_SIDES, (), False, "one crop, the centre of both sides", 0.875),
    # He et al. 2016, section 3.4: of the whole image, as fb.resnet.torch cuts them (datasets/transforms.lua:78).
    "ten_crop": Protocol("corners", (), True, "the four corner crops and the centre crop"),
    # Krizhevsky et al. 2012, sections 2 and 4.1: the central square is cut first, and no more of the image is seen.
    "ten_crop_square": Protocol(
        "square_corners", (), True, "of the central square the four corner crops and the centre crop"
    ),
    # Szegedy et al. 2014 (GoogLeNet), section 7
    "crops144": Protocol(
        "squares",
        (256, 288, 320, 352),
        True,
        "of three squares the four corner crops, the centre crop and the square resized,",
    ),
    # Simonyan, Zisserman 2015 (VGG), section 3.2: the map of class scores is averaged before the softmax, what comes of
    # mirrored images and of scales (4.2) after it.
    "dense": Protocol(WHOLE, (), True, "the whole image, the map of logits averaged,"),
    "multiscale_dense": Protocol(WHOLE, (256, 384, 512), True, "the whole image, the map of logits averaged,"),
    # He et al. 2016, section 3.4: "average the scores at multiple scales"; scores before or after the softmax: not
    # stated, nor whether mirrored images are among them.
    "multiscale_dense_resnet": Protocol(
        WHOLE, (224, 256, 384, 480, 640), True, "the whole image, the map of logits averaged,"
    ),
}

SINGLE_CROP = tuple(name for name, protocol in PROTOCOLS.items() if protocol.single_crop)


def short_sides(protocol: Protocol, size: int, crop_ratio: float, scales: list[int]) -> list[int]:
    """The short sides to which `protocol` resizes images for crops of `size`; `scales` in place of its own, if any."""
    if scales:
        return list(scales)
    return [round(scale * size / AT) for scale in protocol.scales] or [
        round(size / (crop_ratio if protocol.crops == CENTER else without_field(crop_ratio)))
    ]


def protocol_in_words(protocol: Protocol, size: int, sides: list[int], crop_ratio: float, interpolation: str) -> str:
    """The whole protocol, for results."""
    if protocol.crops == BOTH_SIDES:
        share = f"{without_field(crop_ratio):g} of each"
        return f"{protocol.what}: {share}, resized to {size} x {size}, bilinear, not antialiased"
    shorts = f"short side{'s' * (len(sides) > 1)} {', '.join(map(str, sides))}"
    of = "" if protocol.whole else f" of {size}"
    words = f"{protocol.what}{of} from {shorts}, {interpolation}, antialiased"
    if protocol.mirrored:
        words += ", each also mirrored"
    if protocol.draws:
        words += f", under {protocol.draws} masks of dropout"
    return words + (", probabilities averaged" if protocol.mirrored or protocol.draws or len(sides) > 1 else "")
