"""Pictures for the tests, in any size, made of the bundled sample's real images: mosaics in colour with fine detail."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def mosaic(sample: Path, width: int, height: int, seed: int = 0) -> Image.Image:
    """An RGB image of width x height: three different mosaics of sample images as its channels, slightly blurred."""
    random = np.random.default_rng(seed)
    files = sorted((sample / "train").rglob("*.png"))
    across, down = -(-width // 28), -(-height // 28)
    channels = []
    for _ in range(3):
        canvas = Image.new("L", (across * 28, down * 28))
        for place in range(across * down):
            with Image.open(files[random.integers(len(files))]) as tile:
                canvas.paste(tile, (place % across * 28, place // across * 28))
        channels.append(canvas.crop((0, 0, width, height)))
    image = Image.merge("RGB", channels)
    return image.resize((width // 2 or 1, height // 2 or 1), Image.Resampling.BOX).resize((width, height))


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The file of `image`."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
