"""What a run came to, for the proofs that compare two runs bitwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnnbench.runs import checkpoint
from cnnbench.runs.results import CLOCK
from cnnbench.runs.status import load_status

CLOCKS = "speed/"  # how the tags of TensorBoard begin whose values the clock decides
WHOLE = {"scalars": 0, "images": 0}  # how many points TensorBoard keeps of each: all

Outcome = dict[str, Any]


def outcome(run: Path) -> Outcome:
    """Metrics without the clock's, the bytes of every tensor, the result, the points of TensorBoard, and the status."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((run / "result.json").read_text())
    status = load_status(run) or {}
    return {
        "metrics": [{name: value for name, value in line.items() if name not in CLOCK} for line in lines],
        "weights": tensors(checkpoint.load(run / "checkpoints/last.pt")),
        "result": {name: result[name] for name in ("wrong_top1", "wrong_top5", "n", "best_epoch")},
        "TensorBoard": points(run / "tensorboard"),
        "status": {name: status.get(name) for name in ("state", "why", "epoch", "step")},
    }


def difference(one: Outcome, other: Outcome) -> str:
    """What of two outcomes is not the same, or ""."""
    return " and ".join(name for name in one if one[name] != other[name])


def tensors(content: dict[str, Any]) -> dict[str, bytes]:
    """The bytes of the weights, of their average and of what the optimiser keeps, in a checkpoint."""
    averaged = content.get("averaged", {})
    networks = {**content["model"], **{f"averaged.{name}": value for name, value in averaged.items()}}
    found = {name: tensor.numpy().tobytes() for name, tensor in networks.items()}
    for number, state in content["optimizer"]["state"].items():
        found |= {f"{number}.{name}": v.numpy().tobytes() for name, v in state.items() if torch.is_tensor(v)}
    return found


def points(folder: Path) -> dict[str, list]:
    """The steps of all points and pictures by their tag, and the values of those that no clock decides."""
    if not folder.exists():
        return {}
    events = EventAccumulator(str(folder), size_guidance=WHOLE)
    events.Reload()
    tags = events.Tags()
    found: dict[str, list] = {tag: [picture.step for picture in events.Images(tag)] for tag in tags["images"]}
    for tag in tags["scalars"]:
        values = [(point.step, None if tag.startswith(CLOCKS) else point.value) for point in events.Scalars(tag)]
        found[tag] = values
    return found


def starts(run: Path) -> int:
    """How often a run was started."""
    starts = run / "environment.json"
    return len(json.loads(starts.read_text())) if starts.exists() else 0
