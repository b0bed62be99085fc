"""Fast decoders of JPEG files. Each gives None, or raises whatever it likes, for a file that it cannot decode for
certain as Pillow does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from cnnbench.data.decode.entry_index import Place, open_indices
from cnnbench.data.decode.jpeg_structure import has_end, read_header
from cnnbench.data.decode.native.library import Library, Look, load
from cnnbench.data.decode.picture import Picture
from cnnbench.data.decode.resize import Resize

Opener = Callable[[bytes], Picture | None]
Looks = Callable[[Library], Callable[[bytes], Look | None]]  # what is known of a file before it is decoded


def by_index(side_indices: Sequence[Place]) -> Looks:
    """By the side indices at these places."""

    def looks(library: Library) -> Callable[[bytes], Look | None]:
        index = open_indices(side_indices, library).for_library if side_indices else None
        return partial(library.look, index=index)

    return looks


def native(_: bool, looks: Looks) -> Opener:
    """The project's own decoder of the usual files, which decodes what a region needs, and resizes it on the way."""
    library = load()
    if library is None:
        return lambda content: None
    look_at = looks(library)

    def open_jpeg(content: bytes) -> Picture | None:
        look = look_at(content)
        if look is None:
            return None

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            pixels = np.empty((high, wide, look.components), np.uint8)
            if not library.region(content, (left, top, wide, high), pixels, look.entries):
                raise ValueError
            return pixels

        def resize(wanted: Resize, out: np.ndarray | None) -> np.ndarray | None:
            out = wanted.room(look.components, out)
            return out if library.crop(content, wanted, out, look.entries) else None

        return Picture(look.width, look.height, region, resize=resize, scans=1)

    return open_jpeg


def simplejpeg(loose: bool, _: Looks) -> Opener:
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
