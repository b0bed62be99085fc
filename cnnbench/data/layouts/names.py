"""When two names are the same: by Unicode's normal form (macOS writes another than Linux), and in any encoding."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator

from cnnbench.runtime.errors import printable


def plain(name: str) -> str:
    """`name` in normal form C and in letters that can be shown: others are escaped, and bytes that are no UTF-8, which
    a file's name may have, are read as Latin-1."""
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            name = os.fsencode(name).decode("latin-1")
    return printable(unicodedata.normalize("NFC", name))


class Lookup:
    """Finds names among those known: as they are written, or else in another normal form or encoding."""

    def __init__(self, names: Iterable[str]) -> None:
        self.exact = dict.fromkeys(names)
        self.by_plain: dict[str, str] = {}
        for name in self.exact:
            self.by_plain.setdefault(plain(name), name)

    def __call__(self, name: str) -> str | None:
        """The known name that `name` is, or None."""
        return name if name in self.exact else self.by_plain.get(plain(name))


def tidy(path: str) -> str:
    """A path as lists write it, with this system's slashes, without what stands before its first folder."""
    return path.replace("\\", "/").lstrip("./")


def suffixes(path: str) -> Iterator[str]:
    """'a/b/c', 'b/c' and 'c' of the path a/b/c: what a list may call the file, the longest first."""
    path = path.lstrip("/")
    while path:
        yield path
        path = path.partition("/")[2]
