"""Parts of stage a: a run stopped and continued, the loader's pinned slots and augmentation on the GPU, a group."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from outcome import tensors

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.main import main
from cnnbench.cli.run import config_of
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runs import checkpoint
from cnnbench.runtime import distributed
from cnnbench.runtime.devices import choose_device, device_of, only_deterministic, pinned
from cnnbench.runtime.distributed import Agreement, Process
from cnnbench.runtime.errors import TO_BE_CONTINUED
from cnnbench.runtime.launcher import launch
from cnnbench.training import train_step
from cnnbench.training.data import open_loaders, rest_of_run
from cnnbench.training.splits import read_splits
from cnnbench.training.state import TrainState
from gpu_parts.job import Job
from gpu_parts.pictures import write_pictures
from gpu_parts.steps import context_of, step_config, take_steps, weights_of

RUNS = {  # what a run has that is stopped and continued
    "resnet20, its average, augmentation on the GPU": (
        *("arch=resnet20", "average=ema", "augment.device=gpu"),
        *("data.train_fraction=0.1", "batch=100", "epochs=2"),
    ),
    "lenet, accumulate=2": ("arch=lenet", "accumulate=2", "data.train_fraction=0.1", "batch=100", "epochs=2"),
}
STOPPED_AT = 15  # of 20 steps: in the midst of the second epoch


def resume(job: Job) -> None:
    """Runs in deterministic mode, whole and stopped: equal to the bit?"""
    job.each([*RUNS][1:] if job.sizes.device == "cpu" else RUNS, lambda key: _resumed(job, RUNS[key]))


def _resumed(job: Job, words: tuple[str, ...]) -> dict[str, Any]:
    folders = [job.work / name for name in ("whole", "stopped")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    common = ["recipe=quick", "deterministic=true", f"device={job.sizes.device}", "log_every=60", *words]
    if job.sizes.device == "cpu":  # a rehearsal
        common += ["data.train_fraction=0.02", "batch=20", "data.workers=0", "max_eval_images=100", "eval_batch=50"]
    _train([*common, f"run={folders[0]}"])
    calls, set_rate = itertools.count(1), train_step.set_rate

    def stopping(*given: Any) -> None:
        if next(calls) == STOPPED_AT:
            os.kill(os.getpid(), signal.SIGTERM)
        set_rate(*given)

    with mock.patch.object(train_step, "set_rate", stopping):
        _train([*common, f"run={folders[1]}"], TO_BE_CONTINUED)
    _train([*common, f"run={folders[1]}"])
    whole, stopped = (tensors(checkpoint.load(folder / "checkpoints/last.pt")) for folder in folders)
    results = [json.loads((folder / "result.json").read_text()) for folder in folders]
    different = sorted(name for name in whole if whole[name] != stopped.get(name))
    wrong = [result["wrong_top1"] for result in results]
    only_deterministic(False)
    return {
        "tensors": len(whole),
        "different": different[:3],
        "wrong": wrong,
        "ok": not different and len({*wrong}) == 1,
    }


def _train(words: list[str], expected: int = 0) -> None:
    """`cnnbench train` in this process."""
    status: Any = 0
    try:
        main(["train", *words])
    except SystemExit as left:
        status = left.code or 0
    if status != expected:
        raise RuntimeError(f"cnnbench train left with exit status {status}, where {expected} was expected")


def pictures(job: Job) -> None:
    """Batches of the loader, changed by each operation and normalised on the GPU, beside the same made on the CPU."""
    with tempfile.TemporaryDirectory() as folder:  # in colour, which the sample is not
        write_pictures(Path(folder), 16 * job.sizes.batches, 160)
        job.each(job.sizes.augments, lambda key: _compared_pictures(job, folder, key))


def _compared_pictures(job: Job, data: str, operation: str) -> dict[str, Any]:
    words = ["arch=resnet18", "image_size=96", "recipe=quick", "batch=12", f"data={data}", "augment=none"]
    acts = operation != "none"
    words += [f"augment.{operation}.p=1"] * acts + ["data.workers=0"] * (job.sizes.device == "cpu")
    there, here = device_of(0, choose_device(job.sizes.device)), torch.device("cpu")
    config: TrainConfig = config_of(COMMANDS["train"], words)
    late = replace(config, augment=replace(config.augment, device="gpu" if acts else "cpu"))
    ours, same, workers = (_batches(each, where) for each, where in ((late, there), (late, here), (config, here)))
    levels = 255 * torch.tensor(config.arch.std).view(-1, 1, 1)
    by_torch, by_workers = 0.0, 0.0
    for own, one, other in itertools.islice(zip(ours, same, workers, strict=True), job.sizes.batches):
        by_torch = max(by_torch, float(((own.cpu() - one) * levels).abs().max()))
        by_workers = max(by_workers, float(((own.cpu() - other) * levels).abs().max()))
    for each in (workers, same, ours):  # the last first: its workers hold the ends of the others' pipes
        each.close()
    return {
        "batches": job.sizes.batches,
        "pinned": _pins(),
        "levels_from_torch_on_the_cpu": by_torch,
        "levels_from_the_workers": by_workers,
        "ok": by_torch <= 1.01 and by_workers <= 1.01,
    }


def _batches(config: TrainConfig, device: torch.device) -> Iterator[torch.Tensor]:
    """What the loop is given of a run, normalised, on `device`."""
    with open_loaders(config, read_splits(config), Process(), device) as (data, loader):
        batches = loader.batches(rest_of_run(config, data.images, TrainState(), Process()))
        normalise = Normalise(config.arch, device, config.channels_last, config.augment)
        for images, _ in DevicePrefetcher(batches, normalise):
            yield images


def _pins() -> bool:
    """Whether memory that processes share can be pinned."""
    memory = torch.empty(1 << 20, dtype=torch.uint8).share_memory_()
    end = pinned(memory)
    if end is not None:
        end()
    return end is not None


def group(job: Job) -> None:
    """A group of one process by the GPU's own messages, as each GPU of several is one of."""
    job.each(["one process"], lambda _: launch(in_group, 1, job.sizes.device))


def in_group(device_name: str) -> dict[str, Any]:
    """Three steps alone and in DistributedDataParallel, in deterministic mode, and the group's other messages."""
    only_deterministic(True)
    name = choose_device(device_name)
    with distributed.joined(name) as process, tempfile.TemporaryDirectory() as folder:
        device = device_of(process.local_rank, name)
        config = replace(step_config("resnet20"), precision="auto")
        alone, wrapped = (context_of(config, device, Path(folder)) for _ in range(2))
        as_of_two = replace(process, world=2)  # so that nothing is left out for being alone
        wrapped.network, wrapped.process = distributed.wrap(wrapped.model, as_of_two, device), as_of_two
        losses = [take_steps(context, 3) for context in (alone, wrapped)]
        same = torch.equal(weights_of(alone.model), weights_of(wrapped.model))
        sent = distributed.from_leader(lambda: {"one": 1}, as_of_two)
        total = distributed.sum_over_group(torch.ones(3, dtype=torch.float64, device=device), as_of_two)
        largest = distributed.largest_over_group(3, as_of_two, device)
        agreed = Agreement(as_of_two).largest(0)
        distributed.wait_for_all(as_of_two)
        told = sent == {"one": 1} and total.tolist() == [1.0] * 3 and largest == 3 and agreed == 0
        backend = torch.distributed.get_backend()
    return {"backend": backend, "losses": losses, "weights_equal": same, "messages": told, "ok": same and told}
