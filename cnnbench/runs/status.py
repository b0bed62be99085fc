"""status.json: how a run stands."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnbench.runtime.files import write_json
from cnnbench.runtime.provenance import now

STATUS = "status.json"


def write_status(folder: Path, state: str, why: str | None, epoch: int, step: int) -> None:
    """How the run in `folder` stands: state running, complete, preempted or failed; `epoch` and `step` (of the whole
    run) of its last save, 0 before the first. A disk that cannot be written has been reported before."""
    content = {"state": state, "why": why, "epoch": epoch, "step": step}
    with suppress(OSError):
        write_json(folder / STATUS, content | {"time": now(), "host": platform.node(), "pid": os.getpid()})


def load_status(folder: Path) -> dict[str, Any] | None:
    """The contents of status.json, or None before the first start."""
    try:
        return json.loads((folder / STATUS).read_text())
    except (OSError, ValueError):
        return None
