"""Decoders of encoded images, from the header to any rectangle of pixels. All engines give the same pixels, and call
the same files broken.

Pillow decides what an image is: whatever a faster engine cannot decode for certain goes to the next one, and at last to
Pillow, with its result or its error. The orientation that EXIF states is ignored, as in the field's reference
evaluations.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cnnbench.data.decode.apart import apart
from cnnbench.data.decode.jpeg_engines import Looks, Opener, by_index, native, simplejpeg
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.picture import Engine, Picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.decode.resize import Resize
from cnnbench.runtime.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """`make` an opener for exact or loose pixels, where `is_here`; otherwise `get` says how to have it. `ours`: written
    and tried for hostile files here."""

    is_here: Callable[[], bool]
    make: Callable[[bool, Looks], Opener]
    get: str
    ours: bool = False


# The fastest first; Pillow is behind them all.
ENGINES = {
    "native": Kind(
        lambda: load() is not None,
        native,
        "was not built: install a C compiler (Debian: apt install gcc), and then cnnbench once more",
        ours=True,
    ),
    "simplejpeg": Kind(
        lambda: importlib.util.find_spec("simplejpeg") is not None,
        simplejpeg,
        "is not installed: pip install simplejpeg",
    ),
}


def choose_engine(name: str) -> str:
    """The engine that `name` means here: "auto" is the fastest that is here. UserError if it is not here."""
    if name == "auto":
        return next((candidate for candidate, kind in ENGINES.items() if kind.is_here()), "pillow")
    if name in ENGINES and not ENGINES[name].is_here():
        raise UserError(f"data.engine={name} {ENGINES[name].get}; or use data.engine=auto")
    return name


def what_is_missing() -> str:
    """Why the fastest engine is not here and how to have it, in brackets; "" where it is."""
    name, kind = next(iter(ENGINES.items()))
    return "" if kind.is_here() else f" ({name} {kind.get})"


def make_engine(name: str, loose: bool = False, looks: Looks | None = None, seconds: float | None = None) -> Engine:
    """The engine `name` and those behind it, for any thread and for forked processes; `loose`: faster, with slightly
    different pixels; `looks`: where the native one learns its entry points. `seconds`: those of others are kept apart,
    each image for at most so much processor time; None: where they are timed, or in a fence already."""
    names = [*ENGINES, "pillow"]
    asked = [candidate for candidate in names[names.index(name) : -1] if ENGINES[candidate].is_here()]
    others = tuple(candidate for candidate in asked if not ENGINES[candidate].ours)
    engine = chain(others, loose) if seconds is None else apart(chain, (others, loose), seconds)
    for candidate in [candidate for candidate in reversed(asked) if ENGINES[candidate].ours]:
        engine = with_fallback(ENGINES[candidate].make(loose, looks or by_index(())), engine)
    return engine


def chain(names: tuple[str, ...], loose: bool) -> Engine:
    """The engines of `names`, one behind the other, and Pillow behind them all."""
    engine: Engine = pillow
    for name in reversed(names):
        engine = with_fallback(ENGINES[name].make(loose, by_index(())), engine)
    return engine


def with_fallback(opener: Opener, following: Engine) -> Engine:
    """The engine that asks `opener` first, and `following` where that gives nothing, fails, or gives other sizes."""

    def open_file(content: bytes, name: object) -> Picture:
        picture = _tried(opener, content)
        if picture is None:
            return following(content, name)
        width, height, decode, _, resize, scans = picture

        def region(*box: int) -> np.ndarray:
            pixels = _tried(decode, *box)
            if pixels is not None and pixels.shape[:2] == (box[3], box[2]):
                return pixels
            other = following(content, name)
            if (other.width, other.height) != (width, height):
                raise UserError(f"{name} cannot be decoded: decoders read different sizes in it")
            return other.region(*box)

        def resized(wanted: Resize, out: np.ndarray | None) -> np.ndarray | None:
            return None if resize is None else _tried(resize, wanted, out)

        return Picture(width, height, region, 1.0, resized, scans)

    return open_file


def _tried(call: Callable[..., T | None], *arguments: Any) -> T | None:
    """What `call` gives, None if it fails: each decoder has errors of its own, also of types that it does not name."""
    try:
        return call(*arguments)
    except Exception:
        return None
