"""torch's compiler is imported where something asks for more of it than to stay out: it costs 1.6 seconds of a core.

Optimisers tell it at every step to break its graph, and functions that it is to leave alone (`torch._disable_dynamo`,
among them the shapes of the meta device) ask it to. To both a stand-in answers as the compiler does where nothing is
compiled; whatever else is asked of it imports the compiler, which then takes its place.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


def leave_compiler_unimported() -> None:
    """Put the stand-in into the compiler's place, unless that is imported already."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = StandIn(NAME)  # type: ignore[assignment]


class StandIn(ModuleType):
    def graph_break(self, msg: str = "") -> None:
        """There is no graph."""

    def disable(self, fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
        """`fn` as it is, or what a decorator with arguments gives: nothing would compile it."""
        return (lambda function: function) if fn is None else fn

    def __getattr__(self, name: str) -> Any:
        """Import the compiler itself; also for the path by which modules inside it are found."""
        if name in ("__file__", "__spec__", "__wrapped__"):  # asked by inspect and importlib of any module
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)
