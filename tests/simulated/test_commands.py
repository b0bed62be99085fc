"""The real commands on the simulated device: what they do is what they do on the CPU, in float32 to the bit."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from cnnbench.runtime.errors import TO_BE_CONTINUED
from cnnbench.training import loop
from tests.conftest import Run
from tests.simulated.device import SimulatedDevice

Words = tuple[str, ...]
SHORT = ("recipe=quick", "epochs=2", "batch=20", "precision=float32", "data.workers=0", "schedule.warmup_epochs=0")
RICH = (  # all that has a part on the device
    *("arch=resnet20", "average=ema", "augment=modern", "augment.device=gpu", "augment.policy.p=0"),
    *("augment.mixup.p=1", "augment.erase.p=0.5", "augment.jitter.p=0.5", "precise_bn=40", "clip_norm=1"),
    *("accumulate=2", "channels_last=false"),  # by channels last torch takes other kernels for other strides
)


@pytest.fixture
def done(command: Run, small_data: Path) -> Callable[..., str]:
    """Run a command on the small data; what it printed."""

    def run(*words: str, status: int = 0) -> str:
        finished = command(*words, f"data={small_data}")
        assert finished.returncode == status, finished.stderr
        return finished.stdout

    return run


def _run(folder: Path) -> dict[str, Any]:
    """The checkpoint of a run, and its result."""
    content = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return content | {"result": json.loads((folder / "result.json").read_text())}


def _same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for network in ("model", "averaged"):
        for name, tensor in theirs.get(network, {}).items():
            assert torch.equal(ours[network][name], tensor), f"{network} {name}"
    for key in ("wrong_top1", "wrong_top5", "averaged_wrong_top1"):
        assert ours["result"].get(key) == theirs["result"].get(key)
    losses = [[epoch["train_loss"] for epoch in run["state"]["metrics"]] for run in (ours, theirs)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("words", [(), RICH])
def test_train_and_resume(words: Words, done: Callable[..., str], accelerator: SimulatedDevice, tmp_path: Path) -> None:
    """Stopped in the midst of the second epoch and continued, it ends in the bits of the CPU's run."""
    done("train", *SHORT, *words, "device=cpu", "run=cpu")
    calls, set_rate = itertools.count(1), loop.set_rate

    def stopping(*given: Any) -> None:
        if next(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        set_rate(*given)

    with mock.patch.object(loop, "set_rate", stopping):
        done("train", *SHORT, *words, "run=sim", status=TO_BE_CONTINUED)
    out = done("train", *SHORT, *words, "run=sim")
    assert "simulated accelerator per process, float32" in out
    assert "continues after epoch 1, step 2" in out
    ours, theirs = (_run(tmp_path / "runs" / name) for name in ("sim", "cpu"))
    _same(ours, theirs)
