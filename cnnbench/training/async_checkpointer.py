"""Saving without stalling the training: the state is copied to host memory, and a thread writes the copy."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from cnnbench.runs import checkpoint
from cnnbench.training.monitor import check_weights


class AsyncCheckpointer:
    """Writes the checkpoints of one run, one at a time, in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = ThreadPoolExecutor(1, "checkpoint")
        self.writing: Future[None] | None = None
        self.saved = (0, 0)  # epochs done and steps of the whole run in the last checkpoint that is on the disk

    def save(self, content: dict[str, Any], where: tuple[int, int], also: tuple[str, ...] = ()) -> None:
        """Copy `content`, a run at `where`, and return; it is written meanwhile. Waits for the write before this one.

        Raises the UserError of the write before this one: of a disk, or of weights that are not finite, which are not
        written.
        """
        self.finish()
        self.writing = self.pool.submit(self._write, host_copy(content), where, also)

    def _write(self, content: dict[str, Any], where: tuple[int, int], also: tuple[str, ...]) -> None:
        check_weights(content, where)
        checkpoint.save(self.folder, content, also)
        self.saved = where

    def check(self) -> None:
        """Raise the UserError of a write that has failed; costs nothing, for every step."""
        if self.writing is not None and self.writing.done():
            self.finish()

    def finish(self) -> None:
        """Wait until all is on the disk. Raises the UserError of a write that failed."""
        writing, self.writing = self.writing, None
        if writing is not None:
            writing.result()


def host_copy(value: Any) -> Any:
    """`value` with every tensor in its dicts, lists and tuples copied to host memory, strides kept."""
    if isinstance(value, torch.Tensor):
        return torch.empty_like(value, device="cpu", requires_grad=False).copy_(value.detach())
    if isinstance(value, dict):
        return {name: host_copy(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(host_copy(item) for item in value)
    return value
