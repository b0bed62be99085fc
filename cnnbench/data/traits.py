"""What kind of picture each image is, told from its file: its short side, whether it is grey, the quality of its
JPEG."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, UnidentifiedImageError

from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.progress import tqdm

THREADS = 4
LOOKED_AT = 128  # pixels a side, or more, at which an image is looked at for colour
GREY = 4  # levels by which the channels of a grey image may differ, of JPEG's rounding
# ITU-T T.81, Table K.1: the luminance table of quality 50 of the Independent JPEG Group; the order does not matter.
LUMINANCE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)


@dataclass(frozen=True)
class Traits:
    """`short_side` in pixels; `grey`: whether all channels are alike; `quality` of 1 to 100 of a JPEG file by its
    luminance table, as the Independent JPEG Group counts it, None of other files."""

    short_side: int
    grey: bool
    quality: int | None


def read_traits(split: Split) -> list[Traits | None]:
    """Of each image of `split`, None of one that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda index: _traits(split, index), range(len(split)))
        return list(tqdm(found, "looking at files", len(split), leave=False, unit="image", delay=1, disable=None))


def bands(traits: list[Traits | None]) -> dict[str, list[str]]:
    """For each kind of group the group of each image, in words."""
    return {what: ["not read" if one is None else name(one) for one in traits] for what, name in BANDS.items()}


def jpeg_quality(table: list[int]) -> int:
    """Of 1 to 100, that whose luminance table is nearest to `table` in its sum."""
    return int(np.abs(_sums() - sum(table)).argmin()) + 1


def _sums() -> np.ndarray:
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    return np.clip((LUMINANCE * scale[:, None] + 50) // 100, 1, 255).sum(1)


def _traits(split: Split, index: int) -> Traits | None:
    try:
        content = split.read(index)
        if isinstance(content, np.ndarray):
            return Traits(min(content.shape[:2]), _is_grey(content), None)
        with Image.open(io.BytesIO(content)) as image:
            short = min(image.size)
            tables = getattr(image, "quantization", None)
            quality = jpeg_quality(list(tables[0])) if tables else None
            image.draft("RGB", (LOOKED_AT, LOOKED_AT))
            grey = image.mode in ("1", "L", "LA", "I;16") or _is_grey(np.asarray(image.convert("RGB")))
        return Traits(short, grey, quality)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, UserError):
        return None  # it counts as wrong, and the evaluation names it


def _is_grey(pixels: np.ndarray) -> bool:
    spread = pixels.max(2).astype(int) - pixels.min(2)
    return bool(spread.max() <= GREY)


def _size(one: Traits) -> str:
    return _band(one.short_side, (256, 375, 500), "short side", "px")


def _quality(one: Traits) -> str:
    return "no JPEG file" if one.quality is None else _band(one.quality, (75, 85, 95), "quality", "")


def _band(value: int, limits: tuple[int, ...], what: str, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    if value < limits[0]:
        return f"{what} below {limits[0]}{unit}"
    if value >= limits[-1]:
        return f"{what} {limits[-1]}{unit} and more"
    low, high = next((low, high) for low, high in pairwise(limits) if value < high)
    return f"{what} {low} to {high - 1}{unit}"


BANDS: dict[str, Callable[[Traits], str]] = {
    "size": _size,
    "colour": lambda one: "grey" if one.grey else "colour",
    "quality": _quality,
}
