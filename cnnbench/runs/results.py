"""result.json: what a run has reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULT = "result.json"


def load_result(folder: Path) -> dict[str, Any] | None:
    """The contents of result.json, or None while the run has not ended."""
    try:
        return json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None
