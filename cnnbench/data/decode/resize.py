"""What is wanted of a picture, in one piece: a domain of it, resized, and a window of the result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Resize(NamedTuple):
    """A domain of a picture that is resized, antialiased, and the window of the result that is wanted.

    The domain (`left`, `top`, `width`, `height`) is in pixels of the picture, of which `across` and `down` make one of
    the result; the window (`first_column`, `first_row`, `columns`, `rows`) is in pixels of the result. `mirrored`: left
    to right.
    """

    left: int
    top: int
    width: int
    height: int
    across: float
    down: float
    first_column: int
    first_row: int
    columns: int
    rows: int
    interpolation: str
    mirrored: bool = False

    def room(self, channels: int, out: np.ndarray | None) -> np.ndarray:
        """`out` where it has so many channels; otherwise a new array, uint8 (rows, columns, channels)."""
        if out is not None and out.shape == (self.rows, self.columns, channels) and out.flags.c_contiguous:
            return out
        return np.empty((self.rows, self.columns, channels), np.uint8)
