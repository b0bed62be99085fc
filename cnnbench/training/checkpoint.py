"""Checkpoints: tensors and plain values only, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from cnnbench.errors import UserError, reason

LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"


def save(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write `content` to folder/name: to a temporary file, to the disk, then under its name. `last` keeps its
    predecessor. Raises UserError, with the checkpoint before untouched, if the disk is full or cannot be written."""
    path, scratch = folder / name, folder / f".{name}.{os.getpid()}"
    try:
        with open(scratch, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        if name == LAST and path.exists():
            os.replace(path, folder / PREVIOUS)
        os.replace(scratch, path)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        raise UserError(f"cannot write {path}: {error}; the checkpoint before it is untouched") from error
    finally:
        scratch.unlink(missing_ok=True)


def load_last(folder: Path) -> dict[str, Any] | None:
    """The newest readable checkpoint of a run, or None if it has none yet. Says so if it had to take the one before.

    Raises UserError if there are checkpoints and none can be read.
    """
    damaged = []
    for name in (LAST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            content = load(path)
        except UserError as error:
            damaged.append(str(error))
            continue
        if damaged:
            print(f"warning: {damaged[0]}; continuing from {path}")
        return content
    if damaged:
        raise UserError("; ".join(damaged))
    return None


def load(path: Path) -> dict[str, Any]:
    """A checkpoint of cnnbench on the CPU. Only tensors and plain values are read: a pickle cannot run code."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {path}") from error
    except Exception as error:  # torch.load has no common type for what a damaged file makes it raise
        raise UserError(f"{path} is damaged: {reason(error)}") from error
    if not isinstance(content, dict) or "model" not in content:
        raise UserError(f"{path} is not a checkpoint of a run")
    return content


def _sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
