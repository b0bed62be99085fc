"""What was measured on this machine and is not measured again: a file for each kind in the cache folder."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from cnnbench.runtime.cache import cache_folder, is_own, own_cache_folder
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import read_json, write_json


def known(file: str) -> dict[str, Any]:
    """What was measured before on machines that share this cache folder, by the name of what it depends on; nothing
    that others could have written."""
    try:
        path = cache_folder() / file
        found = read_json(path) if is_own(path) and is_own(path.parent) else None
    except (OSError, UserError):
        return {}
    return found if isinstance(found, dict) else {}


def kept(file: str, name: str, value: Any) -> None:
    """Remember what was measured; where that cannot be, it is measured again."""
    with suppress(OSError, UserError):
        write_json(own_cache_folder() / file, known(file) | {name: value})
