"""The epochs of a run, for those who only read."""

from __future__ import annotations

from pathlib import Path

from cnnbench.runs import checkpoint
from cnnbench.runs.paths import CHECKPOINTS
from cnnbench.runs.results import EpochMetrics, load_metrics
from cnnbench.runs.status import load_status


def epochs_of(folder: Path) -> list[EpochMetrics]:
    """As metrics.jsonl has them, or the newest whole checkpoint where that file is missing, cut or damaged: the next
    start of the run makes it anew from there."""
    lines, status = load_metrics(folder), load_status(folder)
    saved = 1 if status is None else status["epoch"]
    if len(lines) >= saved or not any((folder / CHECKPOINTS).glob("*.pt")):
        return lines
    content = checkpoint.newest(folder / CHECKPOINTS)
    kept: list[EpochMetrics] = [] if content is None else content["state"]["metrics"]
    return kept if len(kept) > len(lines) else lines
