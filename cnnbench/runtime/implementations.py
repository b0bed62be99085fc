"""Tables of what serves each name of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeVar

from cnnbench.runtime.errors import UserError

Served = TypeVar("Served")


class Implementations(dict[str, Served]):
    """Name -> what serves it. A name that the schema has and the table at `place` lacks is said in one sentence."""

    def __init__(self, place: str, entries: Mapping[str, Served]) -> None:
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> NoReturn:
        raise UserError(f"nothing serves '{name}', though the schema has it: add its line to {self.place}")
