"""Pillow as an engine: it decides what an image is, and which one is broken."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from cnnbench.data.decode.picture import Picture, Undecided
from cnnbench.data.decode.silence import silence
from cnnbench.runtime.errors import UserError, reason

# What is read. Of the others that Pillow knows some start programs (EPS), some take nearly anything for theirs (TGA).
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
# What files that are not images begin with, in lower case, and what to call them.
BEGINNINGS = {
    b"\xff\xd8\xff": "a JPEG file with a header that cannot be read",
    b"\x89png": "a PNG file with a header that cannot be read",
    b"gif8": "a GIF file with a header that cannot be read",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML",
    b"<svg": "an SVG drawing",
    b"version https://git-lfs": "a pointer of Git LFS in place of the file (`git lfs pull` fetches it)",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjxl ": "JPEG XL",
    b"\x1f\x8b": "compressed with gzip",
    b"pk\x03\x04": "a zip archive",
    b"%pdf": "a PDF document",
    b"%!ps": "PostScript",
    b"8bps": "a Photoshop document",
}
# How many times the usual 10 bytes of memory a pixel decoding takes, where it is more: measured on 32 to 64 megapixels.
COSTS = {"WEBP": 1.7, "JPEG2000": 2.5, "AVIF": 1.5, "JPEG CMYK": 1.5}
BAND = 1 << 20  # pixels that are converted at a time
logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it says there, its exceptions say too
Image.MAX_IMAGE_PIXELS = None  # pixels are counted before anything is decoded, by open_picture
HEIF = {b"heic", b"heix", b"hevc", b"mif1", b"msf1"}  # brands, behind "ftyp"


def pillow(content: bytes, name: object) -> Picture:
    """The picture, of several the first, in any file of FORMATS. UserError if it is not one, and from `region` if it
    cannot be decoded."""
    with _told(name, content):
        image = open_image(content)
        cost = _cost(image)

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        with _told(name, content), silence() if image.format == "TIFF" else nullcontext():  # libtiff's own words
            return _pixels(image, left, top, width, height)

    return Picture(*image.size, region, cost)


def open_image(content: bytes) -> Image.Image:
    """Pillow's image of a file of FORMATS, its header read, no more. Pillow's own errors, of any type."""
    return Image.open(io.BytesIO(content), formats=known_formats())


@cache
def known_formats() -> list[str]:
    """FORMATS as far as this Pillow has them."""
    Image.init()
    return [form for form in FORMATS if form in Image.OPEN]


def _cost(image: Image.Image) -> float:
    """How many times the usual 10 bytes of memory a pixel decoding takes. A tile of a TIFF file may be larger than the
    picture of which it is a part."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return COSTS.get(f"{image.format} {image.mode}", COSTS.get(image.format or "", 1.0))
    sides = [image.tag_v2.get(tag) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)]
    across, down = (side if isinstance(side, int) else 1 for side in sides)
    return max(1.0, across * down / max(1, image.width * image.height))


def _pixels(image: Image.Image, left: int, top: int, width: int, height: int) -> np.ndarray:
    """The pixels of a part of `image` as uint8 (H, W, 1 or 3). A large one is converted band by band: Pillow's own
    copies of all of it would take twice the memory of decoding."""
    rows = max(1, BAND // max(1, width))
    if height <= rows:
        whole = (left, top, width, height) == (0, 0, *image.size)
        return _converted(image if whole else image.crop((left, top, left + width, top + height)))
    image.load()
    pixels = None
    for start in range(0, height, rows):
        end = min(start + rows, height)
        band = _converted(image.crop((left, top + start, left + width, top + end)))
        if pixels is None:
            pixels = np.empty((height, width, band.shape[2]), np.uint8)
        pixels[start:end] = band
    return np.asarray(pixels)


def _converted(image: Image.Image) -> np.ndarray:
    """The pixels of `image` as uint8 (H, W, 1 or 3)."""
    if image.mode in ("L", "1"):
        return np.asarray(_as(image, "L"))[:, :, None]
    if image.mode.startswith("I"):  # 16 bits: the upper eight, as Pillow itself does for colour
        return (np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)[:, :, None]
    return np.asarray(_as(image, "RGB"))


def _as(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which copies it all


@contextmanager
def _told(name: object, content: bytes) -> Iterator[None]:
    """Pillow's errors, of whatever type, become one UserError with the name of the file; its warnings are dropped: on
    what is not the picture, on transparency, which is ignored, and on many pixels, which are counted elsewhere."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image{_seems(content)}") from error
    except MemoryError as error:
        raise Undecided(f"{name} cannot be decoded: memory ran out") from error
    except Exception as error:
        raise UserError(f"{name} cannot be decoded: {reason(error)}") from error


def _seems(content: bytes) -> str:
    """': it is ...' where the first bytes tell; else nothing."""
    if not content:
        return ": it is empty"
    first = content[:64].lstrip().lower()
    kinds = [kind for beginning, kind in BEGINNINGS.items() if first.startswith(beginning)]
    if content[4:8] == b"ftyp" and content[8:12] in HEIF:
        kinds.append("HEIF")
    return f": it is {kinds[0]}" if kinds else ""
