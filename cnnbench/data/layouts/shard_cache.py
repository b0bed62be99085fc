"""What was read from the headers of remote shards, kept in the cache folder: a request per image is not made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from cnnbench.data.storage import remote
from cnnbench.runtime.cache import cache_folder
from cnnbench.runtime.files import write_text, writing

FORM = 1  # of the files; a change of what they hold, or of how labels are read, counts it up
STAMPS = ("size", "ETag", "LastModified", "Last-Modified")  # what servers say of a file's state


def cached(url: str, read: Callable[[str], Sequence[tuple[Any, ...]]]) -> Sequence[tuple[Any, ...]]:
    """`read(url)`, or what it returned for this state of the file: tuples of strings and numbers. Local files pass."""
    if not remote.is_remote(url):
        return read(url)
    said = remote.info(url)
    state = json.dumps([FORM, url, *(str(said.get(stamp)) for stamp in STAMPS)])
    file = cache_folder() / "shards" / f"{hashlib.sha256(state.encode()).hexdigest()}.json"
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        found = read(url)
    with writing(f"the cache folder {file.parent}", "set CNNBENCH_CACHE"):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(found))
    return found
