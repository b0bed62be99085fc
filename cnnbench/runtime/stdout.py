"""Standard output whose reader has left, as in `cnnbench zoo | head -1`."""

from __future__ import annotations

import select
import sys


def is_unread() -> bool:
    """Whether standard output is a pipe that nobody reads any more; if not, a BrokenPipeError is of another pipe."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # 0: only errors, which are always reported
    return bool(poll.poll(0))
