"""The two exceptions that are not our mistake: the user's own, and being asked to stop."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FAILED = 1
TO_BE_CONTINUED = 75  # EX_TEMPFAIL of sysexits.h, try again: the batch templates requeue the job
INTERRUPTED = 130  # 128 + SIGINT: by hand, and not to be started again


class UserError(Exception):
    """What the user has to change, in one sentence. The command line prints it and leaves with exit status 2."""

    def __str__(self) -> str:
        """The sentence as one line, whatever of the user's own it quotes."""
        return printable(super().__str__())


class Lost(UserError):
    """A process was ended from outside, as the system does where memory runs out."""


class Stopped(Exception):
    """The run was asked to stop and has saved: the same command continues it. `status` is the exit status.

    `lost`: the step at which a process was lost, if that is why; with status FAILED, it was not the first one there.
    """

    def __init__(self, why: str, status: int, lost: int | None = None) -> None:
        super().__init__(why)
        self.status, self.lost = status, lost


def printable(text: str) -> str:
    """`text` on one line, with letters that a terminal would not show as Python writes them."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def reason(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def first_sentence(error: Exception) -> str:
    """The first sentence of what a library says."""
    return (str(error).strip().splitlines() or ["unexpected end"])[0].partition(". ")[0]


def nearest(word: str, known: Iterable[str]) -> str:
    """', did you mean ...?' for a misspelt `word`, or nothing where no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f", did you mean {' or '.join(close)}?" if close else ""
