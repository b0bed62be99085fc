"""The side of training images as a pure function of the epoch, and its keys, `resolution.*`."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import Range, key, require


@dataclass(frozen=True)
class ResolutionConfig:
    train: float = key(
        "side of training images, as a share of image_size",
        1.0,
        range=Range(above=0, at_most=2),
        source="trained at the side that is tested, as where no other is named",
    )
    first: float | None = key(
        "share in the first epochs, from which it grows to `train`; null: no growth",
        None,
        range=Range(above=0, at_most=2),
        source="one side throughout, as where no other is named",
    )
    grow_from: float = key("first: epoch after which the side grows, in a straight line", 0.0, range=Range(at_least=0))
    grow_until: float = key("first: epoch from which on the share is `train`", 1.0)
    multiple: int = key(
        "sides at other shares than 1 are rounded to a multiple of this, pixels",
        16,
        range=Range(at_least=1),
    )
    where_possible: bool = key("networks that take one side only train at image_size; false: they are refused", False)


def training_image_size(resolution: ResolutionConfig, image_size: int, epoch: int) -> int:
    """Side, in pixels, of the training images of `epoch`, counted from 0, where evaluation has `image_size`.

    With `first` it follows a straight line between the epochs grow_from and grow_until, as in ffcv-imagenet.
    """
    share = resolution.train
    if resolution.first is not None and epoch < resolution.grow_until:
        done = max(0.0, epoch - resolution.grow_from) / (resolution.grow_until - resolution.grow_from)
        share = resolution.first + (resolution.train - resolution.first) * done
    if share == 1:
        return image_size
    return max(1, round(share * image_size / resolution.multiple)) * resolution.multiple


def check_resolution(resolution: ResolutionConfig) -> None:
    """Raise UserError for keys that cannot work together."""
    require(
        resolution.grow_until > resolution.grow_from,
        f"resolution.grow_until={resolution.grow_until:g} must be above resolution.grow_from={resolution.grow_from:g}",
    )
