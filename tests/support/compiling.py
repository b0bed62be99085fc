"""torch.compile with a backend that compiles nothing, and keeps the shapes that it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch


@contextmanager
def counted_graphs() -> Iterator[list[tuple[int, ...]]]:
    """Within this block: the shape of the images of each graph that is compiled."""
    shapes: list[tuple[int, ...]] = []
    real = torch.compile

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        four = [tuple(value.shape) for value in inputs if isinstance(value, torch.Tensor) and value.dim() == 4]
        shapes.append(max(four, key=lambda shape: shape[-1]))  # filters are smaller than images
        return graph.forward

    def compiled(model: torch.nn.Module, dynamic: bool, mode: str | None) -> Any:
        return real(model, dynamic=dynamic, backend=backend)

    torch.compiler.reset()
    with mock.patch.object(torch, "compile", compiled):
        yield shapes
    torch.compiler.reset()
