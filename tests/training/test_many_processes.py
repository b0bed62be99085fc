"""A group of 8 and one of 16 processes on a tiny network: what one process comes to on the whole batch; and what
becomes of the group when one of it is slow or dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from sync_norm_on_cpu import sync_norm_on_cpu
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from cnnbench.config.arch import ArchConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.sampler import SampleKey, evaluation_batches
from cnnbench.evaluation.evaluate import evaluate
from cnnbench.runtime import distributed, launcher
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import Lost
from cnnbench.training import loop
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData, rest_of_run
from cnnbench.training.state import TrainState

pytestmark = pytest.mark.slow

ARCH = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.25] * 3)
IMAGES, BATCH, CLASSES = 211, 64, 3  # three steps, and a rest
RANDOM = torch.Generator().manual_seed(0)
PIXELS = torch.randint(0, 256, (IMAGES, 6, 6, 3), dtype=torch.uint8, generator=RANDOM)
LABELS = torch.randint(0, CLASSES, (IMAGES,), generator=RANDOM)


def network(norm: bool) -> nn.Module:
    torch.manual_seed(0)
    middle = [nn.BatchNorm2d(4)] if norm else []
    return nn.Sequential(nn.Conv2d(3, 4, 3), *middle, nn.ReLU(), nn.Flatten(), nn.Linear(64, CLASSES))


class Memory:
    """What the loop asks of a loader, of images in memory."""

    def __init__(self, order: list[list[SampleKey]]) -> None:
        self.order, self.broken = order, dict[int, str]()

    def __iter__(self) -> Iterator[Batch]:
        return map(batch_of, self.order)

    def supplied(self) -> float:
        return 1.0


def batch_of(keys: list[SampleKey]) -> Batch:
    images = torch.tensor([key.image for key in keys])
    return Batch(PIXELS[images], LABELS[images], torch.zeros(len(images), 0))


def context_of(process: Process, accumulate: int, norm: bool) -> TrainContext:
    config = TrainConfig(
        recipe="x",
        arch=ARCH,
        average=AverageConfig("none"),
        optimizer=OptimizerConfig(kind="sgd", lr=0.1, momentum=0.9),
        schedule=ScheduleConfig(kind="constant"),
        epochs=1,
        batch=BATCH,
        precision="float32",
        accumulate=accumulate,
    )
    data = TrainData(["a", "b", "c"], IMAGES, Memory([]), Memory([]), {})
    model = distributed.with_sync_batchnorm(network(norm), process)
    context = build_context(config, model, data, Path("nowhere"), process)
    context.folder = None  # type: ignore[assignment]
    return context


def epoch(process: Process, accumulate: int = 1, norm: bool = False) -> dict[str, Any]:
    """What an epoch of the loop comes to: figures, weights and statistics, and messages of gradients by step."""
    context = context_of(process, accumulate, norm)
    messages: list[int] = []
    if process.world > 1:

        def counted(group, bucket):  # torch would take annotations as texts for wrong ones
            messages.append(bucket.index())
            return allreduce_hook(group, bucket)

        context.network.register_comm_hook(None, counted)  # type: ignore[operator]
    batches = map(batch_of, rest_of_run(context.config, IMAGES, TrainState(), process))
    figures = loop.train_epoch(context, TrainState(), DevicePrefetcher(batches, context.normalise))
    state = torch.cat([tensor.detach().double().flatten() for tensor in context.model.state_dict().values()])
    return {
        "figures": [figures[name] for name in ("train_loss", "train_top1_error", "train_n")],
        "state": state.tolist(),
        "messages": len(messages),
    }


def counts(process: Process, images: int) -> list[Any]:
    """Of an evaluation of so many images: counts, and the mean loss."""
    context = context_of(process, 1, False)
    order = list(evaluation_batches(images, 2, process.rank, process.world))
    [(found, loss)] = evaluate([context.model], Memory(order), context.normalise, context.precision, process)
    return [found.wrong1, found.wrong5, found.n, loss]


def everything(_: object) -> list[Any]:
    """All that one group is asked, so that it is started once."""
    with distributed.joined("cpu") as process, sync_norm_on_cpu():
        torch.set_num_threads(1)
        own = {
            "plain": epoch(process),
            "parts": epoch(process, accumulate=4),
            "norm": epoch(process, norm=True),
            "few": counts(process, 5),  # fewer than processes: some have none
            "many": counts(process, IMAGES),
        }
        return distributed.gather_to_leader(own, process)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import torch again, and say soon what they have to."""
    import torch._dynamo  # noqa: F401 - which each would import for itself, when it makes its optimiser

    monkeypatch.setattr(launcher, "METHOD", "fork")
    monkeypatch.setattr(distributed, "GRACE", 0.3)


@pytest.mark.parametrize("world", [8, 16])
def test_a_group_comes_to_what_one_process_comes_to_on_the_whole_batch(world: int) -> None:
    """Figures and weights by rounding, counts exactly, also where shares differ; batch normalisation over all of them;
    accumulation sends gradients once in a step; and the same state on every rank, to the bit."""
    found, alone = launcher.launch(everything, world, None), Process()
    for name, expected in {"plain": epoch(alone), "parts": epoch(alone), "norm": epoch(alone, norm=True)}.items():
        for own in (each[name] for each in found):
            assert own["figures"] == pytest.approx(expected["figures"], rel=1e-5), name
            assert own["figures"][1:] == expected["figures"][1:], "counts"
            assert own["state"] == pytest.approx(expected["state"], rel=1e-4, abs=1e-5)
            assert own["state"] == found[0][name]["state"]
            assert own["messages"] == 3, "one bucket in each of three steps"
    for name, images in {"few": 5, "many": IMAGES}.items():
        expected_counts = counts(alone, images)
        for each in found:
            assert each[name][:3] == expected_counts[:3]
            assert each[name][3] == pytest.approx(expected_counts[3], rel=1e-6)


def slow(_: object) -> float:
    """One is late at each step: the others wait, and nothing else changes."""
    with distributed.joined("cpu") as process:
        torch.set_num_threads(1)
        real = loop.train_step

        def late(*given: Any) -> torch.Tensor:
            time.sleep(0.3 * (process.rank == 3))
            return real(*given)

        with mock.patch.object(loop, "train_step", late):
            return float(epoch(process)["figures"][0])


def test_one_that_is_slow_is_waited_for() -> None:
    begun = time.monotonic()
    assert launcher.launch(slow, 8, None) == pytest.approx(epoch(Process())["figures"][0], rel=1e-5)
    assert time.monotonic() - begun > 3 * 0.3


def fails(how: str) -> None:
    """One of the group ends, or does not come any more, before its second step."""
    with distributed.joined("cpu") as process:
        torch.set_num_threads(1)
        real, steps = loop.train_step, []

        def until(*given: Any) -> torch.Tensor:
            steps.append(1)
            if process.rank == 5 and len(steps) == 2:
                if how == "dead":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
            return real(*given)

        with mock.patch.object(loop, "train_step", until):
            distributed.shorten_timeout(process, 2 / 60)
            with mock.patch.object(loop, "shorten_timeout"):
                epoch(process)


def test_one_that_dies_ends_all_of_them_soon(capfd: pytest.CaptureFixture) -> None:
    begun, before = time.monotonic(), {*_children()}  # of the tests before
    with pytest.raises(Lost, match=r"^process 5 of 16 was ended by SIGKILL \(out of memory\?\)$"):
        launcher.launch(fails, 16, "dead")
    assert time.monotonic() - begun < 20
    assert capfd.readouterr().err == ""
    assert {*_children()} <= before


def test_one_that_hangs_ends_all_of_them_in_a_sentence(
    capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {*_children()}  # of the tests before
    monkeypatch.setattr(launcher, "LAST", 3.0)
    begun = time.monotonic()
    with pytest.raises(SystemExit) as left:
        launcher.launch(fails, 8, "hangs")
    said = capfd.readouterr().err
    assert left.value.code == 1
    assert "process 5" in said
    assert "Traceback" not in said
    assert time.monotonic() - begun < 20
    assert {*_children()} <= before


def _children() -> list[int]:
    """Processes of this one that are still there."""
    return [int(word) for word in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]
