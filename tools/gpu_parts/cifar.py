"""Stage c: ResNet-20 on CIFAR-10 by its paper's recipe, as far as the time goes; a later call continues the run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cnnbench.cli.main import main
from cnnbench.runtime.errors import TO_BE_CONTINUED
from gpu_parts.job import Job

MARGIN = 20.0  # seconds in which a run that is to stop has saved
RUN, KEY = "cifar-resnet20", "resnet20"


def train(job: Job) -> None:
    """The run, or its next part. One whose files are not given is left out."""
    if job.cifar is None:
        job.add(KEY, {"why": "no CIFAR-10 was given: --cifar FOLDER", "complete": False})
        return
    replace(job, done=frozenset()).each([KEY], lambda _: _trained(job))  # a part of it may be done


def _trained(job: Job) -> dict[str, Any]:
    folder = job.work / RUN
    words = ["arch=resnet20", f"data={job.cifar}", f"run={folder}", f"device={job.sizes.device}", "log_every=30"]
    words += [f"max_hours={max(1.0, job.left - MARGIN) / 3600:.6f}", *_rehearsal(job)]
    status: Any = 0
    try:
        main(["train", *words])
    except SystemExit as left:
        status = left.code or 0
    if status not in (0, TO_BE_CONTINUED):
        raise RuntimeError(f"cnnbench train left with exit status {status}")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    if not metrics:
        raise RuntimeError("the time was over before the first epoch was: call it again with more")
    last = metrics[-1]
    seconds = sum(epoch["training_seconds"] for epoch in metrics) / len(metrics)
    result = folder / "result.json"
    return {
        "epochs": last["epoch"],
        "complete": result.exists(),
        "top1_error": last["top1_error"],
        "n": last["n"],
        "seconds_per_epoch": seconds,
        "waiting": last["data_wait"],
    }


def _rehearsal(job: Job) -> list[str]:
    """A short run, for a CPU."""
    if job.sizes.device != "cpu":
        return []
    return ["epochs=1", "recipe=quick", "arch=lenet", "data.workers=0", "max_steps=2", "max_eval_images=20"]
