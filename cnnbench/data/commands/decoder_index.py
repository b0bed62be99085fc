"""The side index of one split, made by decoding each of its JPEG files twice: natively and by the reference decoder."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.entry_index import EVERY, REFERENCE, writing_index
from cnnbench.data.decode.native.library import EntryPoints, Library, load
from cnnbench.data.decode.picture import Engine, open_picture
from cnnbench.data.layouts.listing import Listing
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.parallel import map_images

INDEXED, DIFFERENT, OTHER = "with entry points", "left to the reference decoder", "of other kinds"


@dataclass(frozen=True)
class Finder:
    """What is kept of an image of a listing, and which kind it is; UserErrors of single images are kinds too."""

    listing: Listing

    @cached_property
    def _reference(self) -> Engine:
        return make_engine("simplejpeg")

    def __call__(self, number: int) -> tuple[str, tuple[int, EntryPoints] | None]:
        library = load()
        try:
            content = self.listing.storage.read(number)
        except UserError:
            return OTHER, None
        if library is None or isinstance(content, np.ndarray) or (entries := _entries(library, content)) is None:
            return OTHER, None
        same, key = _is_same(library, content, entries, self._reference), library.key(content)
        return (INDEXED, (key, entries)) if same else (DIFFERENT, (key, REFERENCE))


def _entries(library: Library, content: bytes) -> EntryPoints | None:
    look = library.look(content)
    if look is None or look.width * look.height > MOST_MEGAPIXELS * 1e6:
        return None
    return library.entry_points(content, EVERY)


def _is_same(library: Library, content: bytes, entries: EntryPoints, reference: Engine) -> bool:
    """Whether the whole, decoded by way of its entry points, has the reference decoder's pixels."""
    look = library.look(content)
    if look is None:
        return False
    pixels, box = np.empty((look.height, look.width, look.components), np.uint8), (0, 0, look.width, look.height)
    if not library.region(content, box, pixels, entries.entries):
        return False
    try:
        expected = open_picture(content, "", reference).region(*box)
    except UserError:
        return False
    return np.array_equal(expected, pixels)


def make_side_index(listing: Listing, path: Path, mode: int, workers: int | None, title: str) -> str:
    """Write the side index of `listing` to `path`, for those whom `mode` names; what it holds, in words.

    Raises OSError, and UserError where the native decoder is not here.
    """
    choose_engine("native")
    library = load()
    assert library is not None
    kinds: Counter[str] = Counter()
    found = map_images(Finder(listing), range(len(listing.storage)), workers, title)
    with writing_index(path, mode, library) as index:
        for kind, kept in found:
            kinds[kind] += 1
            if kept is not None:
                index.add(*kept)
    counts = ", ".join(f"{kinds[kind]:,} {kind}" for kind in (INDEXED, DIFFERENT, OTHER) if kinds[kind])
    return f"{counts}; {os.path.getsize(path) / 1e6:,.1f} MB"
