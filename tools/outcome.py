"""What a run came to, for the proofs that compare two runs bitwise."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from cnnbench.runs import checkpoint
from cnnbench.runs.results import CLOCK


def outcome(run: Path) -> tuple[list[dict], dict[str, bytes], dict]:
    """Metrics without the clock's, the bytes of every tensor, and the result."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: value for name, value in line.items() if name not in CLOCK} for line in lines]
    content = checkpoint.load(run / "checkpoints/last.pt")
    averaged = content.get("averaged", {})
    networks = {**content["model"], **{f"averaged.{name}": value for name, value in averaged.items()}}
    tensors = {name: tensor.numpy().tobytes() for name, tensor in networks.items()}
    for number, state in content["optimizer"]["state"].items():
        tensors |= {f"{number}.{name}": v.numpy().tobytes() for name, v in state.items() if torch.is_tensor(v)}
    result = json.loads((run / "result.json").read_text())
    return metrics, tensors, {name: result[name] for name in ("wrong_top1", "wrong_top5", "n", "best_epoch")}


def starts(run: Path) -> int:
    """How often a run was started."""
    starts = run / "environment.json"
    return len(json.loads(starts.read_text())) if starts.exists() else 0
