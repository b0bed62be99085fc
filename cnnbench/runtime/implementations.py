"""Tables of what implements each name of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeVar

from cnnbench.runtime.errors import UserError

Implementation = TypeVar("Implementation")


class Implementations(dict[str, Implementation]):
    """Name -> what implements it. A name that the schema has and the table at `place` lacks is said in one sentence."""

    def __init__(self, place: str, entries: Mapping[str, Implementation]) -> None:
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> NoReturn:
        raise UserError(
            f"'{name}' is a choice of the schema without an implementation: add a line for it to {self.place}"
        )
