"""What the system denies a process, and what its user can do: memory, threads, open files. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cnnbench.runtime.errors import UserError, reason

MEMORY = "this process is not given the memory that it needs ({}): raise its limit (ulimit -v), or close other programs"
THREADS = (
    "this process may start no further thread or process ({}): raise the limits (ulimit -u, and ulimit -v for their "
    "memory), or use fewer data.workers or processes"
)
FILES = "this process may open no further file ({}): raise the limit (ulimit -n), or use fewer data.workers"

TYPES = (MemoryError, ImportError, OSError, RuntimeError)  # of errors that say so
# What the system's loader, libraries and Python say, in small letters:
SIGNS = {
    "failed to map segment": MEMORY,
    "cannot allocate memory": MEMORY,
    "can't allocate memory": MEMORY,
    "bad_alloc": MEMORY,
    "can't start new thread": THREADS,
    "resource temporarily unavailable": THREADS,
    "too many open files": FILES,
}


def denial(error: BaseException) -> str | None:
    """What the system has denied, in a sentence, if that is what `error` says; else None."""
    if not isinstance(error, TYPES):
        return None
    for line in str(error).splitlines():
        for sign, sentence in SIGNS.items():
            if sign in line.lower():
                return sentence.format(line.strip())
    return MEMORY.format(reason(error)) if isinstance(error, MemoryError) else None


@contextmanager
def granted() -> Iterator[None]:
    """Within this block an error of what the system denies is a UserError that says what to do."""
    try:
        yield
    except TYPES as error:
        if (sentence := denial(error)) is None:
            raise
        raise UserError(sentence) from error
