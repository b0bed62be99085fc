"""Reading what others wrote: whatever it makes a reader raise is one sentence, and JSON cannot exhaust the reader."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnbench.runtime.denied import denial
from cnnbench.runtime.errors import UserError, reason

EXPECTED = (OSError, ValueError)  # whose own words say what is wrong; of others the type and the place help more


@contextmanager
def foreign(what: object, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Within this block, which does nothing but read `what`, any exception becomes a UserError that names it, but for
    those that are `passing`."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{what} cannot be read: there is not enough memory for what it says it holds") from error
    except Exception as error:
        if isinstance(error, (UserError, *passing)):
            raise
        if (denied := denial(error)) is not None:
            raise UserError(f"{what} cannot be read: {denied}") from error
        raise UserError(f"{what} cannot be read, it is damaged or of another kind: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, EXPECTED):
        return reason(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}: {reason(error)}"


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. ValueError for what is none, or too deep or long a number for Python."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it has too many lists within each other") from error
