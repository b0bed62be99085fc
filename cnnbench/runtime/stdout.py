"""Standard output: its reader may have left, as in `cnnbench zoo | head -1`, and it is to take any name of a file."""

from __future__ import annotations

import io
import select
import sys


def is_unread() -> bool:
    """Whether standard output is a pipe that nobody reads any more; if not, a BrokenPipeError is of another pipe."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # 0: only errors, which are always reported
    return bool(poll.poll(0))


def take_any_name() -> None:
    """Let standard output take names of files with bytes that are no text: they are printed as \\udcXX."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
