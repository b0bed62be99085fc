"""Decoders of encoded images, from the header to any rectangle of pixels. All engines give the same pixels, and call
the same files broken.

Pillow decides what an image is: whatever a faster engine cannot decode for certain goes to the next one, and at last to
Pillow, with its result or its error. The orientation that EXIF states is ignored, as in the field's reference
evaluations.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from cnnbench.data.decode.jpeg_engines import Opener, nvimgcodec, simplejpeg
from cnnbench.data.decode.picture import Engine, Picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.runtime.errors import UserError

T = TypeVar("T")

# The module that each needs, and how it is made for exact or loose pixels; the fastest first, Pillow behind them all.
ENGINES: dict[str, tuple[str, Callable[[bool], Opener] | None]] = {
    "nvimgcodec": ("nvidia.nvimgcodec", nvimgcodec),
    "simplejpeg": ("simplejpeg", simplejpeg),
    "pillow": ("PIL", None),
}


def choose_engine(name: str) -> str:
    """The engine that `name` means here: "auto" is the fastest installed. UserError if it is not installed."""
    if name == "auto":
        return next(candidate for candidate in ENGINES if _installed(candidate))
    if not _installed(name):
        raise UserError(f"data.engine={name} is not installed: use data.engine=auto, or install {ENGINES[name][0]}")
    return name


def make_engine(name: str, loose: bool = False) -> Engine:
    """The engine `name` and those behind it, for any thread and for forked processes; `loose`: faster, with slightly
    different pixels."""
    engine: Engine = pillow
    names = list(ENGINES)
    for candidate in reversed(names[names.index(name) :]):
        make = ENGINES[candidate][1]
        if make is not None and _installed(candidate):
            engine = with_fallback(make(loose), engine)
    return engine


def with_fallback(opener: Opener, following: Engine) -> Engine:
    """The engine that asks `opener` first, and `following` where that gives nothing, fails, or gives other sizes."""

    def open_file(content: bytes, name: str) -> Picture:
        picture = _tried(partial(opener, content))
        if picture is None:
            return following(content, name)
        width, height, decode = picture.width, picture.height, picture.region

        def region(*box: int) -> np.ndarray:
            pixels = _tried(partial(decode, *box))
            if pixels is not None and pixels.shape[:2] == (box[3], box[2]):
                return pixels
            other = following(content, name)
            if (other.width, other.height) != (width, height):
                raise UserError(f"{name} cannot be decoded: decoders read different sizes in it")
            return other.region(*box)

        return Picture(width, height, region)

    return open_file


def _tried(call: Callable[[], T | None]) -> T | None:
    """What `call` gives, None if it fails: each decoder has errors of its own, also of types that it does not name."""
    try:
        return call()
    except Exception:
        return None


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(ENGINES[name][0]) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
