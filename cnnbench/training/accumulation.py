"""accumulate=auto: the fewest parts of a process's share of the batch that fit into its accelerator's memory.

They are found by trial, before the processes of a run meet: each accelerator takes two steps in a process of its own,
so that nobody waits for another and nothing of a trial stays. The run keeps the number, as if it had been given.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cnnbench.archs.norms import batch_norms
from cnnbench.config.batch import choose_batch
from cnnbench.config.train import TrainConfig
from cnnbench.runs.environment import load_starts
from cnnbench.runtime.backends import CPU, NO_VALUES
from cnnbench.runtime.device_memory import drop_cache, total_memory
from cnnbench.runtime.devices import device_name, device_of, is_out_of_memory, synchronize
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.parallel import end_with_parent
from cnnbench.runtime.shell import counted
from cnnbench.training.context import TrainContext
from cnnbench.training.on_noise import on_noise
from cnnbench.training.process import build_model
from cnnbench.training.splits import read_splits
from cnnbench.training.train_step import train_step

MARGIN = 0.05  # of the memory: fragments, and what a run needs besides steps (NCCL, evaluation's kernels)
STEPS = 2  # the optimiser's state is there from the second on


def find_accumulate(config: TrainConfig, world: int, device: str, local_ranks: Sequence[int]) -> int:
    """The fewest parts of a new run with accumulate=auto for the accelerators of this machine's processes
    `local_ranks`, of `world` in all. UserError if no part fits."""
    if device == CPU:
        raise UserError(
            "accumulate=auto looks for what fits into a GPU's memory, and this run is on a CPU: give accumulate=N"
        )
    settled = replace(config, batch=choose_batch(config, world), accumulate=1, weights=None, sync_batchnorm=False)
    classes = len(read_splits(settled).train.classes)
    return max(_in_processes(settled, classes, world, device, local_ranks))


def about_found(config: TrainConfig, world: int, device: torch.device) -> str:
    """What is to be said of `config`, in which the parts have been found."""
    share, parts = choose_batch(config, world) // world, config.accumulate
    how = f"in {parts} parts of {share // parts}, the fewest that fit" if parts > 1 else "at once: they fit"
    return f"accumulate=auto: each process computes its {counted(share, 'image')} {how} into {device_name(device)}"


def about_kept(folder: Path) -> str | None:
    """What is to be said where the run in `folder` goes on with accumulate=auto on another kind of accelerator than
    that of its first start; None on the same."""
    devices = [_device_in_words(start.get("accelerator")) for start in load_starts(folder)]
    if not devices or devices[0] == devices[-1]:
        return None
    return f"accumulate=auto: as it was found on {devices[0]} when the run began, and not tried anew on {devices[-1]}"


def _device_in_words(accelerator: Any) -> str:
    """What environment.json says of a machine's accelerators."""
    if not accelerator:
        return "a CPU"
    names = [device["name"] for device in accelerator.get("devices") or [] if device.get("name")]
    return names[0] if names else str(accelerator.get("kind"))


def _in_processes(config: TrainConfig, classes: int, world: int, device: str, local_ranks: Sequence[int]) -> list[int]:
    """What `fewest_parts` finds on each accelerator, all at the same time, each in a new process."""
    context = multiprocessing.get_context("spawn")  # a GPU's driver does not survive a fork
    with ProcessPoolExecutor(len(local_ranks), context, _begin) as pool:
        trials = [pool.submit(fewest_parts, config, classes, world, device_of(rank, device)) for rank in local_ranks]
        try:
            return [trial.result() for trial in trials]
        except BrokenProcessPool as error:
            raise UserError(
                "the trial of accumulate=auto was ended (out of the machine's memory?): give accumulate=N"
            ) from error


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends it without a word
    threading.Thread(target=end_with_parent, daemon=True).start()


def fewest_parts(config: TrainConfig, classes: int, world: int, device: torch.device) -> int:
    """The smallest number of equal parts, of a process's share of the batch, with which steps fit into the memory of
    `device`. UserError if none does."""
    candidates = _candidates(config, classes, world)
    found = smallest(candidates, lambda parts: _fits(replace(config, accumulate=parts), classes, world, device))
    if found is None:
        images = config.chosen_batch // world // candidates[-1]
        raise UserError(
            f"not even {counted(images, 'image')} at a time fit into the GPU's memory: use memory=save, a smaller "
            "image_size or a smaller network"
        )
    return found


def smallest(candidates: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """The first of `candidates`, which ascend, for which `fits`; that holds for all after it too. None if for none."""
    if fits(candidates[0]):
        return candidates[0]
    low, high = 0, len(candidates) - 1  # the first does not fit
    if high == 0 or not fits(candidates[high]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(candidates[middle]) else (middle, high)
    return candidates[high]


def _candidates(config: TrainConfig, classes: int, world: int) -> list[int]:
    """The numbers of equal parts, ascending; of two images at least where one would be mixed, or normalised, alone."""
    share = config.chosen_batch // world
    with torch.device(NO_VALUES):
        model = build_model(config, classes, Process(), torch.device(NO_VALUES))
    alone = config.augment.mixup.p == config.augment.cutmix.p == 0 and not batch_norms(model)
    least = 1 if alone else min(2, share)
    return [parts for parts in range(1, share // least + 1) if share % parts == 0]


def _fits(config: TrainConfig, classes: int, world: int, device: torch.device) -> bool:
    """Whether steps fit, by taking them."""
    try:
        _take_steps(config, classes, world, device)
        return True
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    finally:
        gc.collect()
        drop_cache(device)
    return False


def _take_steps(config: TrainConfig, classes: int, world: int, device: torch.device) -> None:
    """Two steps of the loop on images that mean nothing, with what a run needs besides."""
    images = config.images_at_once(world)
    # Two parts of a step stand for all; compiling would take minutes.
    plain = replace(config, accumulate=min(2, config.accumulate), compile=False)
    context, ready = on_noise(plain, classes, images, device)
    kept = torch.empty(_besides(context, world), dtype=torch.uint8, device=device)
    for step in range(STEPS):
        train_step(context, ready, step, 0.0)
    synchronize(device)
    del kept


def _besides(context: TrainContext, world: int) -> int:
    """Bytes that are kept free: a margin, and the gradients, which a group keeps in its buckets."""
    gradients = sum(each.nbytes for each in context.model.parameters() if each.requires_grad)
    return math.ceil(MARGIN * (total_memory(context.device) or 0)) + (gradients if world > 1 else 0)
