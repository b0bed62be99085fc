"""Parts of stage a: steps of networks by the loop of `cnnbench train`, on the GPU and in float32 on the CPU."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.archs.registry import names
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import config_of
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.devices import choose_device, device_of
from cnnbench.runtime.distributed import Process
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import without_loaders
from cnnbench.training.process import build_model
from cnnbench.training.train_step import train_step
from gpu_parts.job import Job

IMAGES, CLASSES, RATE = 32, 10, 0.001
# The most that the losses may differ from the CPU's, as a share. float32 is without TensorFloat-32 here; fp16 has ten
# bits, bf16 seven: inception_v4's is 10 % off on a CPU too. And the most that float32 may change the weights otherwise.
BOUNDS = {"float32": 0.001, "fp16": 0.02, "bf16": 0.2}
MOVED = {"float32": 0.05}


@dataclass(frozen=True)
class Steps:
    """Two steps: the loss of each, and how far the weights have come, on the CPU."""

    losses: list[float]
    moved: torch.Tensor


def precisions(job: Job) -> None:
    """A few networks in each precision, and compiled."""
    pairs = [f"{name} {how}" for name in job.sizes.chosen for how in job.sizes.precisions]
    job.each([*pairs, *(f"{name} bf16 compiled" for name in job.sizes.compiled)], lambda key: compared(job, key))


def networks(job: Job) -> None:
    """Every network in bf16."""
    job.each([f"{name} bf16" for name in job.sizes.every or names()], lambda key: compared(job, key))


def compared(job: Job, key: str) -> dict[str, Any]:
    """The network, precision and "compiled" that `key` names, beside the CPU's steps."""
    name, precision, *compiled = key.split(" ")
    device = device_of(0, choose_device(job.sizes.device))
    ours = steps_of(name, device, precision=precision, compile=bool(compiled))
    theirs = _on_the_cpu(name)
    loss = max(abs(own / other - 1) for own, other in zip(ours.losses, theirs.losses, strict=True))
    moved = float((ours.moved - theirs.moved).norm() / theirs.moved.norm())
    return {
        "losses": ours.losses,
        "cpu_losses": theirs.losses,
        "loss_difference": loss,
        "moved_difference": moved,
        "ok": math.isfinite(loss) and loss <= BOUNDS[precision] and moved <= MOVED.get(precision, math.inf),
    }


@lru_cache(maxsize=1)  # several keys in a row are of one network
def _on_the_cpu(name: str) -> Steps:
    return steps_of(name, torch.device("cpu"), precision="float32")


def steps_of(name: str, device: torch.device, **keys: Any) -> Steps:
    """Two steps of a network on noise, always the same, without dropout."""
    config = replace(step_config(name), **keys)
    with tempfile.TemporaryDirectory() as folder:
        torch.compiler.reset()
        context = context_of(config, device, Path(folder))
        before = weights_of(context.model)
        losses = take_steps(context, 2)
        return Steps(losses, weights_of(context.model) - before)


def step_config(name: str) -> TrainConfig:
    """`cnnbench train` of a network on the sample by recipe=quick, a few images at a time."""
    words = [f"arch={name}", "recipe=quick", "augment=none", "optimizer=sgd", f"batch={IMAGES}", "data=sample"]
    config: TrainConfig = config_of(COMMANDS["train"], [*words, f"optimizer.lr={RATE}"])
    return config


def context_of(config: TrainConfig, device: torch.device, folder: Path) -> TrainContext:
    """What the loop gets, of noise for images; without dropout, which each device draws in its own way."""
    torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    model = build_model(config, CLASSES, Process(), device)
    for module in model.modules():
        if isinstance(getattr(module, "p", None), float):
            module.p = 0.0
    context = build_context(config, model.train(), without_loaders(CLASSES, config.chosen_batch), folder)
    context.scaler = torch.amp.GradScaler(device.type, init_scale=1024.0, enabled=context.scaler.is_enabled())
    return context


def take_steps(context: TrainContext, steps: int) -> list[float]:
    """The losses of so many steps of the loop."""
    ready = DevicePrefetcher(noise(context.config), context.normalise)
    return [float(train_step(context, ready, step, RATE)) for step in range(steps)]


def noise(config: TrainConfig) -> Iterator[Batch]:
    """The same batch of noise for ever."""
    side, random = input_size(config), torch.Generator().manual_seed(0)
    shape = config.chosen_batch, side, side, config.arch.in_channels
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    labels = torch.arange(config.chosen_batch) % CLASSES
    return repeat(Batch(images, labels, torch.zeros(config.chosen_batch, 0)))


def weights_of(model: nn.Module) -> torch.Tensor:
    """All weights in one row, on the CPU, float32."""
    return torch.cat([parameter.detach().flatten().float().cpu() for parameter in model.parameters()])
