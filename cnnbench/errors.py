"""The one exception that stands for the user's mistake rather than ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What the user has to change, in one sentence. The command line prints it and leaves with exit status 2."""


def reason(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def nearest(word: str, known: Iterable[str]) -> str:
    """', did you mean ...?' for a misspelt `word`, or nothing where no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f", did you mean {' or '.join(close)}?" if close else ""
