"""status.json: how a run stands."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnbench.runs import lock
from cnnbench.runtime.files import read_json, write_json
from cnnbench.runtime.provenance import now

STATUS = "status.json"
RUNNING, COMPLETE = "running", "complete"
KILLED = "killed"  # is written nowhere: what a run that says it is running is, once its process is gone


def write_status(folder: Path, state: str, why: str | None, epoch: int, step: int, lost: int | None = None) -> None:
    """How the run in `folder` stands: state running, complete, preempted or failed; `epoch` and `step` (of the whole
    run) of its last save, 0 before the first; `lost`: the step at which a process was lost for the last time. A disk
    that cannot be written has been reported before."""
    content = {"state": state, "why": why, "epoch": epoch, "step": step, "lost": lost}
    with suppress(OSError):
        write_json(folder / STATUS, content | {"time": now(), "host": platform.node(), "pid": os.getpid()})


def load_status(folder: Path) -> dict[str, Any] | None:
    """What status.json says, with the keys of `write_status`; None before the first start, or if it cannot be read."""
    said = read_json(folder / STATUS)
    said = {"why": None, "epoch": 0, "step": 0, "lost": None} | said if isinstance(said, dict) else {}
    return said if all(isinstance(said.get(name), kind) for name, kind in _TYPES.items()) else None


def current_status(folder: Path) -> dict[str, Any] | None:
    """As `load_status`, and `killed` for a run that says it is running while no living process holds its lock."""
    said = load_status(folder)
    if said is None or said["state"] != RUNNING or lock.is_held(folder):
        return said
    why = "its process was ended before it could say why; the same command continues the run"
    return said | {"state": KILLED, "why": why}


_TYPES: dict[str, Any] = {"state": str, "why": (str, type(None)), "epoch": int, "step": int, "lost": (int, type(None))}
