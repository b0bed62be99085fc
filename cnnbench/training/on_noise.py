"""What steps of the loop need, on images that mean nothing: for trials of a run before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from random import Random

import torch

from cnnbench.config.image_size import training_image_sizes
from cnnbench.config.train import TrainConfig
from cnnbench.data.augment.draws import draw_all, row
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.distributed import Process
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import without_loaders
from cnnbench.training.process import build_model


def on_noise(
    config: TrainConfig, classes: int, images: int, device: torch.device
) -> tuple[TrainContext, DevicePrefetcher]:
    """The context of a run of `config` alone on `device`, its network in training mode, and batches of `images`."""
    model = build_model(config, classes, Process(), device)
    context = build_context(config, model, without_loaders(classes, config.chosen_batch), Path())
    context.frozen.train(context.model)
    return context, DevicePrefetcher(_noise(config, images), context.normalise)


def _noise(config: TrainConfig, images: int) -> Iterator[Batch]:
    """Batches as the loader makes them, of the largest images, with augmentation to be done on the device."""
    side, augment = max(training_image_sizes(config)), config.augment
    pixels = torch.randint(0, 256, (images, side, side, config.arch.in_channels), dtype=torch.uint8)
    late = augment.device == "gpu"
    rows = [row(augment, draw_all(augment, Random(number))[1]) if late else () for number in range(images)]
    parameters = torch.tensor(rows, dtype=torch.float64).view(images, -1 if late and rows[0] else 0)
    return repeat(Batch(pixels, torch.zeros(images, dtype=torch.int64), parameters))
