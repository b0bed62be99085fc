"""The pictures of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnbench.analysis.report.picture import Picture
from cnnbench.analysis.report.run import Run


def draw(runs: list[Run], folder: Path, bench: list[dict[str, Any]]) -> list[Picture]:
    return []
