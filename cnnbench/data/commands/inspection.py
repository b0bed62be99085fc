"""A close look at one image file: what it is, and what is odd or broken about it."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from dataclasses import dataclass, field

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from cnnbench.runtime.errors import reason

ORIENTATION = 0x0112  # the tag of EXIF
FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF"}
ODD_MODES = {"1": "grey", "L": "grey", "LA": "grey", "CMYK": "cmyk", "P": "palette", "PA": "palette"}


@dataclass
class Finding:
    """`size`: of the file, bytes; `digest`: of the content; `width` and `height` in pixels, 0 where unknown; `kinds`:
    keys of PROBLEMS and REMARKS in findings.py, each with a detail."""

    size: int = 0
    digest: bytes = b""
    width: int = 0
    height: int = 0
    format: str = "unknown"
    mode: str = "unknown"
    kinds: dict[str, str] = field(default_factory=dict)


def inspect_pixels(pixels: np.ndarray) -> Finding:
    """What there is to say of pixels uint8 (H, W, C)."""
    height, width, channels = pixels.shape
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
    return Finding(pixels.nbytes, digest, width, height, "pixels", "L" if channels == 1 else "RGB")


def inspect_file(content: bytes, name: str) -> Finding:
    """Decode the image file `content` whole, as training does, and note whatever is not as it should be."""
    found = Finding(len(content), hashlib.blake2b(content, digest_size=16).digest())
    if not content:
        found.kinds["empty"] = "0 bytes"
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                _note_header(found, image, name)
                image.convert("RGB")
        if found.format == "JPEG" and found.mode in ("RGB", "L"):
            _note_damage(found, content)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found.kinds["huge"] = reason(error)
    except UnidentifiedImageError:
        found.kinds["corrupt"] = "not an image"
    except (OSError, SyntaxError, ValueError) as error:  # as Pillow raises them; the first is the usual one
        found.kinds["corrupt"] = reason(error)
    return found


def _note_header(found: Finding, image: Image.Image, name: str) -> None:
    found.width, found.height = image.size
    found.format, found.mode = image.format or "unknown", image.mode
    if kind := "deep" if image.mode.startswith(("I", "F")) else ODD_MODES.get(image.mode):
        found.kinds[kind] = f"mode {image.mode}"
    if min(image.size) == 1:
        found.kinds["thin"] = f"{image.width} x {image.height} pixels"
    ending = os.path.splitext(name.removesuffix(")"))[1].lower()  # of a file, or of an archive's member in brackets
    if FORMATS.get(ending, image.format) != image.format:
        found.kinds["wrong_type"] = f"{image.format} behind {ending}"
    if (orientation := image.getexif().get(ORIENTATION)) in range(2, 9):
        found.kinds["rotated"] = f"EXIF orientation {orientation}"


def _note_damage(found: Finding, content: bytes) -> None:
    """Damage that Pillow passes over in silence: libjpeg's warnings are errors here."""
    try:
        simplejpeg.decode_jpeg(content, "GRAY", fastdct=True, fastupsample=True, strict=True)
    except ValueError as error:
        found.kinds["damaged"] = reason(error)
