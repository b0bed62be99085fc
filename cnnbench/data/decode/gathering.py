"""A side index that is made as files are met for the first time, in a run's first epoch: `data.decoder_index=true`.

Each process writes parts of its own, whole side indices of some files, which appear under their names at once and never
change: so any number of processes and machines share a folder without waiting for each other, and what is killed leaves
nothing half. Two that meet the same file both keep it, which does no harm.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cnnbench.data.decode.entry_finder import find_entries
from cnnbench.data.decode.entry_index import REFERENCE, Place, open_indices, writing_index
from cnnbench.data.decode.native.library import EntryPoints, Library, Look, load
from cnnbench.data.decode.picture import Engine

FIRST_PART, LARGEST_PART = 64, 2048  # files: each part has twice as many as the one before; 5.5 MB of ILSVRC's


class Gatherer:
    """What is known of files by the side indices at `places` and the parts in `folder`, which grow by what they do not
    know. `reference`: the decoder whose pixels count."""

    def __init__(self, places: tuple[Place, ...], folder: Path, reference: Engine) -> None:
        self.places = tuple(place for place in places if place.path.parent != folder)
        self.folder, self.reference = folder, reference
        self.lock = threading.Lock()
        self.room = FIRST_PART
        self.pending: dict[int, EntryPoints] = {}  # by key, not written yet
        self.left: set[int] = set()  # files of which no entry points can be had
        self.kept = True  # whether parts can be written, as far as is known

    def __call__(self, library: Library) -> Callable[[bytes], Look | None]:
        self._open(library)
        return partial(self._look, library)

    def _open(self, library: Library) -> None:
        self.changed = self._folder_time()
        self.known = open_indices([*self.places, *parts_in(self.folder)], library).for_library

    def _folder_time(self) -> int | None:
        try:
            return os.stat(self.folder).st_mtime_ns
        except OSError:
            return None

    def _look(self, library: Library, content: bytes) -> Look | None:
        """What Library.look says; the entry points of a file that is new are found, which takes two whole decodes."""
        look = library.look(content, self.known)
        if look is not None and not look.entries.every and self._folder_time() != self.changed:
            self._open(library)
            look = library.look(content, self.known)
        if look is None or look.entries.every or look.key in self.left or not self.kept:
            return look
        entries = self.pending.get(look.key) or self._find(content, look.key)
        if entries is None or entries is REFERENCE:
            return None if entries is REFERENCE else look
        look.entries, look.owner = entries.entries, entries
        return look

    def _find(self, content: bytes, key: int) -> EntryPoints | None:
        entries = find_entries(content, self.reference)
        if entries is None:
            self.left.add(key)
            return None
        with self.lock:
            self.pending[key] = entries
            full = len(self.pending) >= self.room
        if full:
            self.room = min(2 * self.room, LARGEST_PART)
            self.seal()
        return entries

    def seal(self) -> None:
        """Write what was found to a part of its own. Where that fails, only time is lost."""
        with self.lock:
            found, self.pending = self.pending, {}
        library = load()
        if not found or library is None:
            return
        try:
            with writing_index(self.folder / part_name(), 0o600, library) as part:
                for key, entries in found.items():
                    part.add(key, entries)
        except OSError:  # of a full disk, or a folder that is gone
            self.kept = False


def part_name() -> str:
    """That no other process gives, on any machine: parts may lie on a shared disk."""
    return f"{time.time_ns()}-{platform.node()}-{os.getpid()}"


def parts_in(folder: Path) -> list[Place]:
    """The parts that are whole."""
    try:
        return [Place(folder / name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError:
        return []
