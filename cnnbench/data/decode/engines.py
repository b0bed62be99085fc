"""Decoders of encoded images, from the header to any rectangle of pixels. All engines give the same pixels.

Pillow decides what an image is: whatever another engine cannot decode, or might cut short, goes to Pillow, with its
result or its error. The orientation that EXIF states is ignored, as in the field's reference evaluations.
"""

from __future__ import annotations

import importlib.util
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnnbench.runtime.errors import UserError

MOST_PIXELS = 178_956_970  # above, an image is refused before it is decoded: Pillow's own limit for a "bomb"
NARROWEST = 4  # columns: of fewer, libjpeg-turbo interpolates the colours of a region in another way than of the whole
JPEG, END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True)
class Picture:
    """An image whose size is known and whose pixels are not decoded yet.

    `region(left, top, width, height)` gives uint8 (height, width, C), C = 3 (RGB) or 1 (grey); the array may be a view.
    """

    width: int
    height: int
    region: Callable[[int, int, int, int], np.ndarray]


Engine = Callable[[bytes, str], Picture]  # (content of a file, its name for messages)


def open_picture(content: bytes | np.ndarray, name: str, engine: Engine) -> Picture:
    """The picture in a file's `content`, or in pixels uint8 (H, W, C). UserError, with `name`, unless it is one."""
    picture = from_pixels(content) if isinstance(content, np.ndarray) else engine(content, name)
    if picture.width * picture.height > MOST_PIXELS:
        raise UserError(f"{name} has {picture.width} x {picture.height} pixels: more than {MOST_PIXELS:,} are refused")
    return picture


def from_pixels(pixels: np.ndarray) -> Picture:
    """The picture whose pixels uint8 (H, W, C) are there already."""

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        return pixels[top : top + height, left : left + width]

    return Picture(pixels.shape[1], pixels.shape[0], region)


def pillow(content: bytes, name: str) -> Picture:
    """The picture in any file that Pillow knows. UserError if it is not one, and from `region` if it ends early."""
    with _told(name), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(content))

    def region(left: int, top: int, width: int, height: int) -> np.ndarray:
        with _told(name):
            return _pixels(image)[top : top + height, left : left + width]

    return Picture(*image.size, region)


def _pixels(image: Image.Image) -> np.ndarray:
    """All pixels as uint8 (H, W, 1 or 3)."""
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[:, :, None]
    if image.mode.startswith("I"):  # 16 bits: the upper eight, as Pillow itself does for colour
        return (np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)[:, :, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on transparency in a palette, which is dropped
        return np.asarray(image.convert("RGB"))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Pillow's errors become one UserError with the name of the file."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} cannot be decoded: {error}") from error


def _whole_jpeg(content: bytes) -> bool:
    """Whether `content` begins as a JPEG file and has its end: one cut short is decoded in part by some engines."""
    return content.startswith(JPEG) and content.find(END, -32) >= 0


def simplejpeg(loose: bool) -> Engine:
    """libjpeg-turbo; whole images."""
    from simplejpeg import decode_jpeg, decode_jpeg_header

    def open_jpeg(content: bytes, name: str) -> Picture:
        try:
            height, width, colours, _ = decode_jpeg_header(content) if _whole_jpeg(content) else (0, 0, "", "")
        except ValueError:
            colours = ""
        if colours not in ("YCbCr", "RGB", "Gray"):
            return pillow(content, name)

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            try:
                kind = "Gray" if colours == "Gray" else "RGB"
                pixels = decode_jpeg(content, kind, fastdct=loose, fastupsample=loose)
            except ValueError:
                return pillow(content, name).region(left, top, wide, high)
            return pixels[top : top + high, left : left + wide]

        return Picture(width, height, region)

    return open_jpeg


def nvimgcodec(loose: bool) -> Engine:
    """NVIDIA's nvImageCodec on the CPU: libjpeg-turbo that decodes no more than the region asked for.

    Of a file with damage below the region it gives the pixels, where the others, which decode it whole, call it broken.
    """
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")
    with _silence():
        from nvidia import nvimgcodec as codec
    decoders = threading.local()  # one per thread, and made after a fork
    options = ":fast_idct=1 :fancy_upsampling=0" if loose else ""
    colours = codec.DecodeParams(apply_exif_orientation=False, color_spec=codec.ColorSpec.SRGB)
    grey = codec.DecodeParams(apply_exif_orientation=False, color_spec=codec.ColorSpec.GRAY)

    def decoder() -> Any:
        if not hasattr(decoders, "own"):
            with _silence():
                decoders.own = codec.Decoder(
                    device_id=codec.NVIMGCODEC_DEVICE_CPU_ONLY,
                    backends=[codec.Backend(codec.BackendKind.CPU_ONLY)],
                    max_num_cpu_threads=1,
                    options=options,
                )
        return decoders.own

    def open_jpeg(content: bytes, name: str) -> Picture:
        if not _whole_jpeg(content):
            return pillow(content, name)
        try:
            stream = codec.CodeStream(content)
            width, height, channels = stream.width, stream.height, stream.num_channels
        except RuntimeError:
            channels = 0
        if channels not in (1, 3):
            return pillow(content, name)
        params = grey if channels == 1 else colours

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            right = min(width, left + max(wide, NARROWEST))
            part = stream.get_sub_code_stream(0, codec.Region(top, left, top + high, right))
            image = decoder().decode(part, params=params)
            if image is None:
                return pillow(content, name).region(left, top, wide, high)
            return np.asarray(image)[:, :wide]

        return Picture(width, height, region)

    return open_jpeg


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what C code writes to the standard error: notes on decoders that need CUDA, which are not used here."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# The module that each needs, and how it is made for exact or loose pixels; the fastest first.
ENGINES: dict[str, tuple[str, Callable[[bool], Engine]]] = {
    "nvimgcodec": ("nvidia.nvimgcodec", nvimgcodec),
    "simplejpeg": ("simplejpeg", simplejpeg),
    "pillow": ("PIL", lambda loose: pillow),
}


def choose_engine(name: str) -> str:
    """The engine that `name` means here: "auto" is the fastest installed. UserError if it is not installed."""
    if name == "auto":
        return next(candidate for candidate in ENGINES if _installed(candidate))
    if not _installed(name):
        raise UserError(f"data.engine={name} is not installed: use data.engine=auto, or install {ENGINES[name][0]}")
    return name


def make_engine(name: str, loose: bool = False) -> Engine:
    """The engine `name`, for any thread and for forked processes; `loose`: faster, with slightly different pixels."""
    return ENGINES[name][1](loose)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(ENGINES[name][0]) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
