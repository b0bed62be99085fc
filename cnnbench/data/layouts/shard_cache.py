"""What was read from the headers of remote shards, kept in the cache folder: a request per image is not made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnnbench.data.storage import remote
from cnnbench.runtime.cache import cache_folder, is_own, own_cache_folder, remove_abandoned
from cnnbench.runtime.files import write_text, writing

FORM = 2  # of the files; a change of what they hold, or of how labels are read, counts it up
STAMPS = ("size", "ETag", "LastModified", "Last-Modified")  # what servers say of a file's state


def cached(url: str, read: Callable[[str], Sequence[tuple[Any, ...]]]) -> Sequence[tuple[Any, ...]]:
    """`read(url)`, or what it returned for this state of the file: tuples of strings and numbers. Local files pass."""
    if not remote.is_remote(url):
        return read(url)
    said = remote.info(url)
    state = json.dumps([FORM, url, *(str(said.get(stamp)) for stamp in STAMPS)])
    with writing(f"the cache folder {cache_folder()}", "set CNNBENCH_CACHE"):
        file = own_cache_folder("shards") / f"{hashlib.sha256(state.encode()).hexdigest()}.json"
        remove_abandoned(file.parent, ".*")
    if (kept := _kept(file)) is not None:
        return kept
    text = json.dumps(found := read(url))
    with writing(f"the cache folder {file.parent}", "set CNNBENCH_CACHE"):
        write_text(file, f"{_seal(text)}\n{text}")
        file.chmod(0o600)
    return found


def _kept(file: Path) -> Sequence[tuple[Any, ...]] | None:
    """What `file` holds; None if it is not there, not whole, or not this user's own."""
    try:
        seal, _, text = file.read_text().partition("\n")
        return json.loads(text) if is_own(file) and seal == _seal(text) else None
    except (OSError, ValueError):
        return None


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
