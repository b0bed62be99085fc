"""The side index of one split, made by decoding each of its JPEG files twice: natively and by the reference decoder."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cnnbench.config.data import MOST_SECONDS
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.entry_finder import find_entries
from cnnbench.data.decode.entry_index import REFERENCE, writing_index
from cnnbench.data.decode.native.library import EntryPoints, load
from cnnbench.data.decode.picture import Engine
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
        return make_engine("simplejpeg", seconds=MOST_SECONDS)

    def __call__(self, number: int) -> tuple[str, tuple[int, EntryPoints] | None]:
        library = load()
        try:
            content = self.listing.storage.read(number)
        except UserError:
            return OTHER, None
        entries = None if isinstance(content, np.ndarray) else find_entries(content, self._reference)
        if library is None or entries is None or isinstance(content, np.ndarray):
            return OTHER, None
        return DIFFERENT if entries is REFERENCE else INDEXED, (library.key(content), entries)


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
