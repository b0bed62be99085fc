"""Pictures without a border that is no part of them, as ObjectNet's red one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cnnbench.config.arch import ArchConfig
from cnnbench.data.decode.picture import Picture
from cnnbench.data.loading.transform import Transform


@dataclass(frozen=True)
class WithoutBorder:
    """What `inner` makes of the picture within `border` pixels on each side; a picture too small for one is whole."""

    inner: Transform
    border: int

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

    def __call__(self, picture: Picture, draw: int, index: int, slot: np.ndarray, parameters: np.ndarray) -> None:
        self.inner(within(picture, self.border), draw, index, slot, parameters)


def within(picture: Picture, border: int) -> Picture:
    """`picture` without `border` pixels on each side."""
    width, height = picture.width - 2 * border, picture.height - 2 * border
    if min(width, height) < 1:
        return picture

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        return picture.region(left + border, top + border, width, height)

    return replace(picture, width=width, height=height, region=region, resize=None)
