"""The folder of this user's caches: unpacked sample, indices, downloaded weights."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where this user's unpacked data lies; not necessarily there yet."""
    if chosen := os.environ.get("CNNBENCH_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cnnbench"
