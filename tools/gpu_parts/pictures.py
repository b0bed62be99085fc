"""JPEG files, where the tree has none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int, side: int) -> None:
    """Class folders of `count` JPEG files, side x 3/4 side pixels, of smooth noise: some 100 kB, as ILSVRC's."""
    random = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("val" if number % 8 == 7 else "train") / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        coarse, fine = (random.integers(0, 256, (rows, rows, 3), np.uint8) for rows in (side // 16, side // 3))
        size = (side, side * 3 // 4)
        layers = [Image.fromarray(each).resize(size, Image.Resampling.BICUBIC) for each in (coarse, fine)]
        file = io.BytesIO()
        Image.blend(*layers, 0.4).save(file, "JPEG", quality=92)
        (place / f"{number}.jpg").write_bytes(file.getvalue())
