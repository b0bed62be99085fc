"""The real commands on the simulated device: what they do is what they do on the CPU, in float32 to the bit."""

from __future__ import annotations

import dataclasses
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

from cnnbench.analysis.bench import model as bench_model
from cnnbench.analysis.bench import timing
from cnnbench.analysis.bench import training as bench_training
from cnnbench.runtime.backends import BACKENDS
from cnnbench.runtime.errors import TO_BE_CONTINUED
from cnnbench.training import train_step
from tests.conftest import Run
from tests.simulated.device import SimulatedDevice

Words = tuple[str, ...]
SHORT = ("recipe=quick", "epochs=2", "batch=20", "precision=float32", "data.workers=0", "schedule.warmup_epochs=0")
SHORT += ("optimizer.fused=true",)  # as on an accelerator by itself
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
    for name, tensor in theirs["model"].items():
        assert torch.equal(ours["model"][name], tensor), name
    for name, tensor in theirs.get("averaged", {}).items():  # by sums that a flag can hold back: other last bits
        torch.testing.assert_close(ours["averaged"][name], tensor, rtol=1e-6, atol=1e-7, msg=name)
    for key in ("wrong_top1", "wrong_top5", "averaged_wrong_top1"):
        assert ours["result"].get(key) == theirs["result"].get(key)
    losses = [[epoch["train_loss"] for epoch in run["state"]["metrics"]] for run in (ours, theirs)]
    assert losses[0] == losses[1]


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), RICH])
def test_train_and_resume(words: Words, done: Callable[..., str], accelerator: SimulatedDevice, tmp_path: Path) -> None:
    """Stopped in the midst of the second epoch and continued, it ends in the bits of the CPU's run."""
    done("train", *SHORT, *words, "device=cpu", "run=cpu")
    calls, set_rate = itertools.count(1), train_step.set_rate

    def stopping(*given: Any) -> None:
        if next(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        set_rate(*given)

    with mock.patch.object(train_step, "set_rate", stopping):
        done("train", *SHORT, *words, "run=sim", status=TO_BE_CONTINUED)
    out = done("train", *SHORT, *words, "run=sim")
    assert "simulated accelerator per process, float32" in out
    assert "continues after epoch 1, step 2" in out
    ours, theirs = (_run(tmp_path / "runs" / name) for name in ("sim", "cpu"))
    _same(ours, theirs)
    assert "peak_memory" not in theirs["result"]
    assert 1 << 17 < ours["result"]["peak_memory"] == accelerator.memory.peak < 1 << 25
    assert sum(ours["result"]["time_shares"].values()) == pytest.approx(1, abs=1e-3)
    starts = json.loads((tmp_path / "runs/sim/environment.json").read_text())
    assert [start["accelerator"]["kind"] for start in starts] == ["sim", "sim"]


def test_evaluation_by_protocols(done: Callable[..., str], accelerator: SimulatedDevice, tmp_path: Path) -> None:
    """The counts of the CPU, and its mean loss: crops, whole images, two networks together, features of a layer."""
    done("train", *SHORT, "max_steps=1", "device=cpu", "run=one")
    for words in (("protocol=ten_crop",), ("protocol=multiscale_dense", "arch.dropout=null"), ()):
        files = []
        for device in ("auto", "cpu"):
            done("eval", "run=one", *words[:1], "precision=float32", "data.workers=0", f"device={device}")
            [file] = (tmp_path / "runs/one").glob("eval-*.json")
            files.append(json.loads(file.read_text()))
            file.unlink()
        for name in ("wrong_top1", "wrong_top5", "n"):
            assert files[0][name] == files[1][name]


def test_a_device_without_streams_and_float64(
    done: Callable[..., str], accelerator: SimulatedDevice, tmp_path: Path
) -> None:
    """What the table says of mps: no float64 on the device, no pinned memory, no channels last."""
    accelerator.forbidden = {torch.float64}
    like_mps = dataclasses.replace(BACKENDS["mps"], bf16=lambda: False)
    words = ("precise_bn=40", "arch=resnet20", "average=ema", "augment=modern", "augment.device=gpu")
    with mock.patch.dict(BACKENDS, sim=like_mps):
        out = done("train", *SHORT, *words, "augment.policy.p=0", "epochs=1", "run=one")
        done("eval", "run=one", "protocol=ten_crop", "data.workers=0")
        done("eval", "run=one", "data.workers=0", "details=details")
    assert "channels first (all that sim has)" in out


def test_memory_that_runs_out_is_said_with_the_cure(
    command: Run, accelerator: SimulatedDevice, small_data: Path
) -> None:
    accelerator.memory.limit = 2 << 20
    lost = command("train", *SHORT, f"data={small_data}", "run=one")
    assert lost.returncode == 2
    assert "20 images at a time do not fit into memory: set accumulate=2" in lost.stderr
    assert lost.stderr.count("\n") == 1


def test_an_operation_without_a_deterministic_kernel_is_named(
    command: Run, accelerator: SimulatedDevice, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch says it of AlexNet's normalisation on a GPU; cuBLAS is told to be deterministic before it is used."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    said = "avg_pool3d_backward_cuda does not have a deterministic implementation, but you set ..."
    with mock.patch.object(train_step, "_loss", side_effect=RuntimeError(said)):
        lost = command("train", *SHORT, f"data={small_data}", "run=one", "deterministic=true")
    assert lost.returncode == 2
    assert "lenet needs avg_pool3d_backward_cuda, of which torch has no deterministic form on sim" in lost.stderr
    assert lost.stderr.count("\n") == 1
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.parametrize("what", ["model", "train", "eval"])
def test_bench(what: str, command: Run, small_data: Path, accelerator: SimulatedDevice, monkeypatch: Any) -> None:
    monkeypatch.setattr(bench_model, "MATRIX_ON_GPU", 16)
    monkeypatch.setattr(timing, "WARM_UP_ON_GPU", 1)
    monkeypatch.setattr(timing.time_rounds, "__defaults__", (0,))
    monkeypatch.setattr(bench_training, "ROUND_SECONDS", 0.1)
    monkeypatch.setattr(bench_training, "TURNS", 1)
    images = ("data.workers=0", "loader_images=20", "images=20", f"data={small_data}")
    words = ("arch=lenet", "image_size=32", "rounds=1", "batch=10", *(images if what != "model" else ()))
    finished = command("bench", f"what={what}", *words)
    assert finished.returncode == 0, finished.stderr
    assert "simulated accelerator" in finished.stdout
