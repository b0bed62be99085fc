"""Fast decoders of JPEG files. Each gives None, or raises whatever it likes, for a file that it cannot decode for
certain as Pillow does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnnbench.data.decode.entry_index import open_index
from cnnbench.data.decode.jpeg_structure import has_end, read_header
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.picture import Picture
from cnnbench.data.decode.resize import Resize

Opener = Callable[[bytes], Picture | None]


def native(_: bool, side_index: Path | None) -> Opener:
    """The project's own decoder of the usual files, which decodes what a region needs, and resizes it on the way."""
    library, index = load(), None if side_index is None else open_index(side_index)

    def open_jpeg(content: bytes) -> Picture | None:
        size = None if library is None else library.size(content)
        if library is None or size is None:
            return None
        entries = None if index is None else index.find(library.key(content))
        if isinstance(entries, int):  # the reference decoder's
            return None
        width, height, channels = size

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            pixels = np.empty((high, wide, channels), np.uint8)
            if not library.region(content, (left, top, wide, high), pixels, entries):
                raise ValueError
            return pixels

        def resize(wanted: Resize, out: np.ndarray | None) -> np.ndarray | None:
            out = wanted.room(channels, out)
            return out if library.crop(content, wanted, out, entries) else None

        return Picture(width, height, region, resize=resize)

    return open_jpeg


def simplejpeg(loose: bool, _: Path | None) -> Opener:
    """libjpeg-turbo; whole images, and an exception for whatever it warns of."""
    from simplejpeg import decode_jpeg, decode_jpeg_header

    def open_jpeg(content: bytes) -> Picture | None:
        if read_header(content) is None or not has_end(content):
            return None
        height, width, colours, _ = decode_jpeg_header(content)
        if colours not in ("YCbCr", "RGB", "Gray"):
            return None

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            kind = "Gray" if colours == "Gray" else "RGB"
            pixels = decode_jpeg(content, kind, fastdct=loose, fastupsample=loose)
            return pixels[top : top + high, left : left + wide]

        return Picture(width, height, region)

    return open_jpeg
