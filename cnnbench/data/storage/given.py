"""Images that a caller of Python has at hand: paths, encoded files, pictures of Pillow, pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Given:
    """`images`: each a path, the bytes of a file, or pixels uint8 (H, W, 1 or 3), as `as_given` makes them."""

    images: Sequence[Path | bytes | np.ndarray]
    form: str = "images of the caller"

    def __len__(self) -> int:
        return len(self.images)

    def read(self, number: int) -> bytes | np.ndarray:
        image = self.images[number]
        if not isinstance(image, Path):
            return image
        try:
            return image.read_bytes()
        except OSError as error:
            raise UserError(f"{image} cannot be read: {error.strerror}") from error

    def name(self, number: int) -> str:
        image = self.images[number]
        return str(image) if isinstance(image, Path) else f"image {number}"

    def path(self, number: int) -> str:
        return self.name(number)


def as_given(image: Any, number: int = 0) -> Path | bytes | np.ndarray:
    """`image` in the form that Given holds. UserError, with its `number`, for what is none of these: a path, bytes, a
    picture of Pillow, an array uint8 (H, W), (H, W, 1) or (H, W, 3)."""
    if isinstance(image, str | Path):
        return Path(image).expanduser()
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        return as_given(np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB")), number)
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        pixels = image[:, :, None] if image.ndim == 2 else image
        if pixels.ndim == 3 and pixels.shape[2] in (1, 3):
            return np.ascontiguousarray(pixels)
    found = f"an array {image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    if type(image).__name__ == "Tensor":
        raise UserError(
            f"image {number} is a tensor: give image.numpy(), uint8 (H, W, 3), or call model.network with it"
        )
    raise UserError(
        f"image {number} is {found}: give a path, the bytes of a file, a picture of Pillow, or pixels, an array uint8 "
        "(H, W), (H, W, 1) or (H, W, 3)"
    )
