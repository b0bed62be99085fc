"""The parts of the proof in the order in which they run, each with its own limit. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Part:
    """`stage`: of the proof; `limit`: seconds after which it is ended; `function`: "module:name", called with a Job."""

    stage: str
    limit: float
    function: str

    def load(self) -> Callable[[Any], None]:
        """The function itself; imports torch."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(f"gpu_parts.{module}"), name)


# What is short and what only a GPU can show comes first. All together have nine minutes: few take as long as they may.
PARTS = {
    "machine": Part("", 60, "machine:describe"),
    "resume": Part("a", 60, "exact:resume"),
    "group": Part("a", 40, "exact:group"),
    "pictures": Part("a", 40, "exact:pictures"),
    "precisions": Part("a", 80, "steps:precisions"),
    "recipe": Part("b", 200, "speed:recipe"),
    "loop": Part("b", 50, "speed:own_loop"),
    "end to end": Part("b", 60, "speed:end_to_end"),
    "alone": Part("b", 60, "speed:alone"),
    "networks": Part("a", 110, "steps:networks"),
    "cifar": Part("c", 540, "cifar:train"),
}
