"""From a picture to the pixels of one training or evaluation image, in place, in a slot of a batch.

What is drawn depends on (seed, draw, number of the image) alone. Values stay uint8; see normalise.py for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from PIL import Image

from cnnbench.config.arch import ArchConfig, without_field
from cnnbench.config.augment import AugmentConfig
from cnnbench.data.augment.crop import training_part
from cnnbench.data.augment.draws import Step, apply_all, drawn, row, row_width, steps
from cnnbench.data.decode.evaluation_crops import CROP_SETS
from cnnbench.data.decode.inception_crop import central_share, squashed
from cnnbench.data.decode.picture import Picture, from_pixels
from cnnbench.data.decode.region import central_window, cut, resized, scaled
from cnnbench.data.loading.sampler import image_random


class Transform(Protocol):
    """Fills `slot`, uint8 (side, side, C), and `parameters`, float64 (row width,), for one image, as `arch` takes it.

    `size` is the largest side, in pixels, and `parameters` the row width. Where one image has several `views`, the slot
    is uint8 (views, side, side, C).
    """

    @property
    def size(self) -> int: ...
    @property
    def parameters(self) -> int: ...
    @property
    def views(self) -> int: ...
    @property
    def arch(self) -> ArchConfig: ...

    def side(self, draw: int) -> int: ...

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None: ...


@dataclass(frozen=True)
class TrainingTransform:
    """Augmentation. With augment.device=gpu, `parameters` say what is left to do, on the device, after the crop."""

    arch: ArchConfig
    augment: AugmentConfig
    size: int
    seed: int
    loose: bool = False
    sides: tuple[int, ...] = ()  # the side of each epoch, at most `size`; (): `size`
    views: int = 1

    def side(self, draw: int) -> int:
        return self.sides[draw // self.augment.repeats] if self.sides else self.size

    @cached_property
    def parameters(self) -> int:
        return row_width(self.augment) if self.augment.device == "gpu" else 0

    @cached_property
    def _steps(self) -> tuple[list[Step], list[Step]]:
        return steps(self.augment)

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        random = image_random(self.seed, draw, index)
        before, after = (drawn(steps, random) for steps in self._steps)
        if before:
            pixels = picture.region(0, 0, picture.width, picture.height)
            picture = from_pixels(apply_all(pixels, before))
        part = training_part(picture.width, picture.height, self.augment.crop, len(slot), self.arch, random)
        mirrored = not self.parameters and after[:1] == [("flip", ())]  # costs nothing while a crop is resized
        pixels = cut(picture, part, self.arch.interpolation, self.loose, slot, mirrored)
        if self.parameters:
            parameters[:] = row(self.augment, after)
        else:
            pixels = apply_all(pixels, after[mirrored:])
        if pixels is not slot:
            slot[:] = in_channels(pixels, slot.shape[2])


def central_crop(picture: Picture, arch: ArchConfig, size: int) -> np.ndarray:
    """The central crop of a resized image, uint8 (size, size, C)."""
    return cut(picture, central_window(picture.width, picture.height, size, arch.crop_ratio), arch.interpolation)


def inception_crop(picture: Picture, arch: ArchConfig, size: int) -> np.ndarray:
    """The central share, arch.crop_ratio, of both sides, resized without antialiasing to uint8 (size, size, C)."""
    share = without_field(arch.crop_ratio)
    return squashed(picture.region(*central_share(picture.width, picture.height, share)), size)


@dataclass(frozen=True)
class EvaluationTransform:
    """One view of an image, which `view` makes of (picture, arch, size)."""

    arch: ArchConfig
    size: int
    view: Callable[[Picture, ArchConfig, int], np.ndarray] = central_crop
    parameters: int = 0
    views: int = 1

    def side(self, draw: int) -> int:
        return self.size

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        slot[:] = in_channels(self.view(picture, self.arch, self.size), slot.shape[2])


@dataclass(frozen=True)
class CropsTransform:
    """The crops of a test protocol, `crops` of evaluation_crops.CROP_SETS, at each of the short sides `scales`: the
    image is decoded once."""

    arch: ArchConfig
    size: int
    crops: str
    scales: tuple[int, ...]
    parameters: int = 0

    @property
    def views(self) -> int:
        return len(self.scales) * len(CROP_SETS[self.crops](self.size, self.size, self.size))

    def side(self, draw: int) -> int:
        return self.size

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        views = iter(slot)
        pixels = picture.region(0, 0, picture.width, picture.height)
        for scale in self.scales:
            image = resized(pixels, *scaled(picture.width, picture.height, scale), self.arch.interpolation)
            for left, top, side in CROP_SETS[self.crops](image.shape[1], image.shape[0], self.size):
                square = image[top : top + side, left : left + side]
                square = resized(square, self.size, self.size, self.arch.interpolation)
                next(views)[:] = in_channels(square, slot.shape[3])


def in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Pixels uint8 (H, W, 1 or 3) with 3 equal channels for 1, or ITU-R 601 luma (Pillow's rounding) for 3."""
    if pixels.shape[2] == channels or channels == 3:  # 1 -> 3: numpy repeats it where it is assigned
        return pixels
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
