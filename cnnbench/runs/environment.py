"""environment.json: every start of a run: when, where, by which command, versions and git commit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cnnbench.runtime.files import write_json
from cnnbench.runtime.provenance import provenance

ENVIRONMENT = "environment.json"


def record_start(folder: Path) -> None:
    """Add this start. Raises OSError."""
    write_json(folder / ENVIRONMENT, [*load_starts(folder), {"command": sys.argv, **provenance()}])


def load_starts(folder: Path) -> list[dict[str, Any]]:
    """The starts of the run in `folder`, the first one first; [] if there is no file that can be read."""
    try:
        starts = json.loads((folder / ENVIRONMENT).read_text())
    except (OSError, ValueError):
        return []
    return starts if isinstance(starts, list) else []
