"""A close look at one image file: what it is, and what is odd or broken about it."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import simplejpeg
from PIL import Image

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.jpeg_structure import END
from cnnbench.data.decode.picture import Engine, TooLarge, Undecided, open_picture
from cnnbench.data.decode.pillow_engine import open_image
from cnnbench.runtime.errors import UserError, reason

ORIENTATION = 0x0112  # the tag of EXIF
FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF"}
LOST = ("Corrupt JPEG data", "Premature end")  # so begin libjpeg's warnings of a picture that is not whole
EXTRA = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
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


def inspect_file(content: bytes, name: str, megapixels: float = MOST_MEGAPIXELS) -> Finding:
    """Decode the image file `content` whole, if it has at most so many `megapixels`, with the decoder that training
    takes by default, and note whatever is not as it should be."""
    found = Finding(len(content), hashlib.blake2b(content, digest_size=16).digest())
    if not content:
        found.kinds["empty"] = "0 bytes"
        return found
    with suppress(Exception), warnings.catch_warnings():  # of no effect on the verdict, which is the decoder's
        warnings.simplefilter("ignore")
        with open_image(content) as image:
            _note_header(found, image, name, megapixels)
    try:
        picture = open_picture(content, "it", _decoder(), megapixels)
        picture.region(0, 0, picture.width, picture.height)
    except Undecided:
        raise
    except UserError as error:
        found.kinds["huge" if isinstance(error, TooLarge) else "corrupt"] = str(error).removeprefix("it ")
        return found
    if found.format in ("JPEG", "MPO") and found.mode in ("RGB", "L"):
        _note_damage(found, content)
    return found


@cache
def _decoder() -> Engine:
    return make_engine(choose_engine("auto"))


def _note_header(found: Finding, image: Image.Image, name: str, megapixels: float) -> None:
    found.width, found.height = image.size
    found.format, found.mode = image.format or "unknown", image.mode
    if kind := "deep" if image.mode.startswith(("I", "F")) else ODD_MODES.get(image.mode):
        found.kinds[kind] = f"mode {image.mode}"
    if min(image.size) == 1:
        found.kinds["thin"] = f"{image.width} x {image.height} pixels"
    ending = os.path.splitext(name.removesuffix(")"))[1].lower()  # of a file, or of an archive's member in brackets
    kind = found.format.replace("MPO", "JPEG")  # which has more pictures behind the first
    if FORMATS.get(ending, kind) != kind:
        found.kinds["wrong_type"] = f"{kind} behind {ending}"
    if image.width * image.height > megapixels * 1e6:
        return  # of a PNG file, Pillow decodes all to look for EXIF
    if (orientation := image.getexif().get(ORIENTATION)) in range(2, 9):
        found.kinds["rotated"] = f"EXIF orientation {orientation}"


def _note_damage(found: Finding, content: bytes) -> None:
    """Damage that decoders pass over in silence: libjpeg's warnings are errors here. Nothing can be said of a JPEG file
    whose sampling simplejpeg does not know."""
    try:
        simplejpeg.decode_jpeg(content, "GRAY", fastdct=True, fastupsample=True, strict=True)
    except Exception as error:  # of several types, where it does not know the sampling
        said = reason(error)
        if said.startswith(LOST) and not _is_padding(said, content):
            found.kinds["damaged"] = said


def _is_padding(said: str, content: bytes) -> bool:
    """Whether libjpeg's warning `said` is on nothing but zeros before the end mark, as some cameras write them."""
    extra, end = EXTRA.search(said), content.rfind(END)
    return extra is not None and not content[end - int(extra[1]) : end].strip(b"\0")
