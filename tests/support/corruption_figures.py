"""The picture of which tests/golden/corruptions.tsv has figures, and those figures: means of 16 parts, in levels."""

from __future__ import annotations

import numpy as np

SIDE, PARTS = 224, 4


def picture() -> np.ndarray:
    """uint8 (224, 224, 3): slopes, stripes, a disk and specks, of whole numbers alone."""
    y, x = np.mgrid[:SIDE, :SIDE]
    red, green, blue = (x * 255) // (SIDE - 1), 255 * ((x // 7 + y // 11) % 2), (x * y) % 256
    disk = (x - 100) ** 2 + (y - 130) ** 2 < 60**2
    image = np.stack([np.where(disk, 230, red), np.where(disk, y, green), np.where(disk, 20, blue)], 2)
    return image.astype(np.uint8)


def figures(image: np.ndarray) -> list[float]:
    """The mean level of each of 16 parts of uint8 (224, 224, 3), and of the absolute steps between neighbours."""
    side = SIDE // PARTS
    parts = image.reshape(PARTS, side, PARTS, side, 3).mean((1, 3, 4)).ravel().tolist()
    return [*parts, float(np.abs(np.diff(image.astype(int), axis=1)).mean())]
