"""The side of training images as a pure function of the epoch, and its keys, `resolution.*`. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import key
from cnnbench.config.values import check_range, require


@dataclass(frozen=True)
class ResolutionConfig:
    train: float = key("side of training images, as a share of image_size", 1.0)
    first: float | None = key("share in the first epochs, from which it grows to `train`; null: no growth", None)
    grow_from: float = key("first: epoch after which the side grows, in a straight line", 0.0)
    grow_until: float = key("first: epoch from which on the share is `train`", 1.0)
    multiple: int = key("sides at other shares than 1 are rounded to a multiple of this, pixels", 16)
    where_possible: bool = key("networks that take one side only train at image_size; false: they are refused", False)


def training_side(resolution: ResolutionConfig, image_size: int, epoch: int) -> int:
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
    """Raise UserError for a value that cannot work."""
    for name in ("train", "first"):
        check_range(f"resolution.{name}", getattr(resolution, name), 0, 2, open_low=True)
    check_range("resolution.grow_from", resolution.grow_from, 0)
    check_range("resolution.multiple", resolution.multiple, 1)
    require(
        resolution.grow_until > resolution.grow_from,
        f"resolution.grow_until={resolution.grow_until:g} must be above resolution.grow_from={resolution.grow_from:g}",
    )
