"""Within a block, nothing that C code writes to the standard error: what is to be said, exceptions say."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()  # of two threads, one would put back what the other has put in place


@contextmanager
def silence() -> Iterator[None]:
    """Drop what is written to the standard error of this process. By one thread at a time."""
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:  # there is none
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
