"""Finding the entry points of a JPEG file, and whether its pixels are the reference decoder's."""

from __future__ import annotations

import numpy as np

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.entry_index import EVERY, REFERENCE
from cnnbench.data.decode.native.library import EntryPoints, Library, Look, load
from cnnbench.data.decode.picture import Engine, open_picture
from cnnbench.runtime.errors import UserError


def find_entries(content: bytes, reference: Engine, every: int = EVERY) -> EntryPoints | None:
    """The entry points of a JPEG file, one each `every` columns of blocks, by way of which its whole decode is compared
    with that of `reference`: REFERENCE where it differs. None for what the native decoder does not take, or where it
    was not built."""
    library = load()
    look = None if library is None else library.look(content)
    if library is None or look is None or look.width * look.height > MOST_MEGAPIXELS * 1e6:
        return None
    entries = library.entry_points(content, every)
    if entries is None:
        return None
    return entries if _is_same(library, content, look, entries, reference) else REFERENCE


def _is_same(library: Library, content: bytes, look: Look, entries: EntryPoints, reference: Engine) -> bool:
    pixels, box = np.empty((look.height, look.width, look.components), np.uint8), (0, 0, look.width, look.height)
    if not library.region(content, box, pixels, entries.entries):
        return False
    try:
        expected = open_picture(content, "", reference).region(*box)
    except UserError:
        return False
    return np.array_equal(expected, pixels)
