"""From a file to an image. The orientation that EXIF states is ignored, as in the field's reference evaluations."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnnbench.errors import UserError

MODES = {1: "L", 3: "RGB"}


def read_image(content: bytes | np.ndarray, name: str, channels: int = 3) -> Image.Image:
    """The whole image of a file's `content`, or of pixels uint8 (H, W, C), as RGB or, for one channel, ITU-R 601 luma.

    Raises UserError, with `name`, if it is no image or ends early.
    """
    try:
        if isinstance(content, np.ndarray):
            return Image.fromarray(content.squeeze()).convert(MODES[channels])
        with Image.open(io.BytesIO(content)) as image:
            return image.convert(MODES[channels])
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} cannot be decoded: {error}") from error
