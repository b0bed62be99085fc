"""From a file to an image. The orientation that EXIF states is ignored, as in the field's reference evaluations."""

from __future__ import annotations

from PIL import Image, UnidentifiedImageError

from cnnbench.errors import UserError

MODES = {1: "L", 3: "RGB"}


def read_image(path: str, channels: int = 3) -> Image.Image:
    """The whole image at `path`, decoded to RGB, or to grey (ITU-R 601 luma) for one channel.

    Raises UserError if the file cannot be read, is no image, or ends early.
    """
    try:
        with Image.open(path) as image:
            return image.convert(MODES[channels])
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be decoded: {error}") from error
