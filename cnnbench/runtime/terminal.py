"""What a terminal can show: its width, and colour where it has any. Elsewhere lines stay plain and whole."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

NARROWEST = 40  # columns below which nothing is brought into them
BOLD, DIM, CYAN = "1", "2", "36"  # of SGR, ECMA-48 section 8.3.117
ERASE = "\r\033[K"  # back to the first column, and nothing to the right of it


def has_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal with colours whose user wants any (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, code: str, stream: TextIO) -> str:
    """`text` in a colour or weight, where `stream` has any."""
    return f"\033[{code}m{text}\033[0m" if has_colour(stream) else text


def row(name: str, text: str, column: int, stream: TextIO) -> str:
    """`name` and from `column` on `text`: on a terminal brought into its width between words, under each other."""
    if not stream.isatty():
        return f"  {name:<{column - 2}}{text}"
    lines = _lines(text, column) or [""]
    first = f"  {coloured(f'{name:<{column - 2}}', CYAN, stream)}{lines[0]}"
    return "\n".join([first, *(" " * column + line for line in lines[1:])])


def wrapped(text: str, stream: TextIO, indent: int = 2) -> str:
    """A sentence: on a terminal brought into its width between words, its further lines indented."""
    if not stream.isatty():
        return text
    first, *rest = _lines(" " * indent + text, 0)
    return "\n".join([first[indent:], *(" " * indent + line for line in _lines(" ".join(rest), indent))])


def columns(most: int, stream: TextIO) -> int:
    """How wide a table may be: `most`, and on a terminal no wider than that."""
    return min(most, max(NARROWEST, shutil.get_terminal_size().columns)) if stream.isatty() else most


def _lines(text: str, column: int) -> list[str]:
    width = max(NARROWEST, shutil.get_terminal_size().columns) - column
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Within this block, on a terminal: a line that says what is waited for, up to the first thing that is printed."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    before, note = (sys.stdout, sys.stderr), _Note(sys.stderr)
    note.show(coloured(f"{what} ...", DIM, sys.stderr))
    sys.stdout, sys.stderr = _After(note, sys.stdout), _After(note, sys.stderr)
    try:
        yield
    finally:
        note.erase()
        sys.stdout, sys.stderr = before


class _Note:
    """A line that is erased once."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.shown = stream, False

    def show(self, text: str) -> None:
        self.shown = True
        self.stream.write(text)
        self.stream.flush()

    def erase(self) -> None:
        if self.shown:
            self.shown = False
            self.stream.write(ERASE)
            self.stream.flush()


class _After:
    """A stream before whose first text the note is erased."""

    def __init__(self, note: _Note, stream: Any) -> None:
        self.note, self.stream = note, stream

    def write(self, text: str) -> int:
        self.note.erase()
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
