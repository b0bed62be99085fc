"""What is done to a picture before its views are made, and to a view after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbench.config.arch import ArchConfig
from cnnbench.data.corrupt.corruptions import KEPT_AS, corrupt, image_random_state
from cnnbench.data.corrupt.digital import through_jpeg
from cnnbench.data.decode.picture import Picture
from cnnbench.data.loading.transform import Transform, in_channels


@dataclass(frozen=True)
class Around:
    """A transform that asks `inner` for all but what it does itself."""

    inner: Transform

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def parameters(self) -> int:
        return self.inner.parameters

    @property
    def views(self) -> int:
        return self.inner.views

    @property
    def arch(self) -> ArchConfig:
        return self.inner.arch

    def side(self, draw: int) -> int:
        return self.inner.side(draw)


@dataclass(frozen=True)
class WithoutBorder(Around):
    """Of pictures with a border that is no part of them, as ObjectNet's red one, what lies within `border` pixels on
    each side; a picture too small for one is whole."""

    border: int

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        self.inner(within(picture, self.border), draw, index, slot, parameters)


@dataclass(frozen=True)
class Corrupted(Around):
    """A view, one of an image, with one of CORRUPTIONS, kept as JPEG as ImageNet-C's files are."""

    name: str
    severity: int
    seed: int
    frosts: Sequence[np.ndarray] = ()

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        self.inner(picture, draw, index, slot, parameters)
        random = image_random_state(self.seed, self.name, self.severity, index)
        image = np.repeat(slot, 3, 2) if slot.shape[2] == 1 else slot.copy()
        changed = through_jpeg(corrupt(image, self.name, self.severity, random, self.frosts), KEPT_AS)
        slot[:] = in_channels(changed, slot.shape[2])


def within(picture: Picture, border: int) -> Picture:
    """`picture` without `border` pixels on each side."""
    width, height = picture.width - 2 * border, picture.height - 2 * border
    if min(width, height) < 1:
        return picture

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        return picture.region(left + border, top + border, width, height)

    return picture._replace(width=width, height=height, region=region, resize=None)
