"""Standard output and standard error: their reader may have left, their disk may be full, they may have been closed.

A command whose output is its result ends then; training goes on, since its result lies in the run's folder.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnbench.runtime.errors import UserError

STREAMS = ("stdout", "stderr")


class OutputLost(BaseException):
    """Standard output cannot be written; the cause says why. Nobody between a print and the command line answers it."""


class Stream:
    """A text stream of the process, in the place of another one of these. What cannot be written is lost, and so is all
    that follows: `why` says so, and OutputLost is raised unless the stream is `tolerant`."""

    def __init__(self, stream: Any, tolerant: bool) -> None:
        self.stream: Any = stream.stream if isinstance(stream, Stream) else stream
        self.tolerant = tolerant
        self.why: str | None = None

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.why = self.why or error.strerror or str(error)
        try:  # for what is still in a buffer, for other processes, and for the interpreter, which flushes once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        except (OSError, ValueError):
            self.stream = io.StringIO()
        if not self.tolerant:
            raise OutputLost(self.why) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def open_closed() -> None:
    """Put something in the place of standard streams that were closed: other files would get their numbers, and what is
    printed. Writing to them fails."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def take_any_name() -> None:
    """Let standard output take names of files with bytes that are no text: they are printed as \\udcXX."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def watched() -> Iterator[None]:
    """Within this block OutputLost says that standard output cannot be written, and standard error is dropped then."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(sys.stdout, tolerant=False), Stream(sys.stderr, tolerant=True)
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            sys.stdout, sys.stderr = before


@contextmanager
def may_be_lost(what: str) -> Iterator[None]:
    """Within this block standard output and standard error are dropped if they cannot be written. Raises UserError then
    at its end, unless something else has been raised: that `what` is done."""
    before = {name: getattr(sys, name) for name in STREAMS}
    streams = [Stream(stream, tolerant=True) for stream in before.values()]
    for name, stream in zip(STREAMS, streams, strict=True):
        setattr(sys, name, stream)
    try:
        yield
        for stream in streams:
            stream.flush()
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
    for name, stream in zip(("standard output", "standard error"), streams, strict=True):
        if stream.why is not None:
            raise UserError(f"{what} is done, but {name} could not be written: {stream.why}")
