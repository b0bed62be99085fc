"""Where the crops of a test protocol lie in a resized image: pure functions of its size."""

from __future__ import annotations

from collections.abc import Callable

from cnnbench.runtime.implementations import Implementations

Square = tuple[int, int, int]  # left, top, side, pixels


def center(width: int, height: int, size: int) -> list[Square]:
    """The central crop."""
    return [(round((width - size) / 2), round((height - size) / 2), size)]


def corners(width: int, height: int, size: int) -> list[Square]:
    """The four corner crops (upper left, upper right, lower left, lower right) and the central one, of the whole
    image (He et al. 2016, section 3.4)."""
    right, bottom = width - size, height - size
    return [(0, 0, size), (right, 0, size), (0, bottom, size), (right, bottom, size), *center(width, height, size)]


def square_corners(width: int, height: int, size: int) -> list[Square]:
    """The five crops of `corners`, of the central square of the short side (Krizhevsky et al. 2012, sections 2 and
    4.1)."""
    short = min(width, height)
    left, top, _ = center(width, height, short)[0]
    return [(left + x, top + y, side) for x, y, side in corners(short, short, size)]


def squares(width: int, height: int, size: int) -> list[Square]:
    """Of the left, central and right square (upper, central and lower of a portrait) of the short side: the five crops
    of `corners`, and the whole square, to be resized (Szegedy et al. 2014, section 7)."""
    short = min(width, height)
    found = []
    for place in (0, 0.5, 1):
        left, top = round((width - short) * place), round((height - short) * place)
        found += [(left + x, top + y, side) for x, y, side in corners(short, short, size)]
        found.append((left, top, short))
    return found


# All crops of one image, (width, height, size) -> squares; as many for every width and height.
CROP_SETS: Implementations[Callable[[int, int, int], list[Square]]] = Implementations(
    "CROP_SETS in cnnbench/data/decode/evaluation_crops.py",
    {
        "corners": corners,
        "square_corners": square_corners,
        "squares": squares,
    },
)
