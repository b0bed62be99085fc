"""What loggers show of a run beside its curves: training images as drawn, first filters, the config with the final
errors. At the start and the end of a run, on the leader alone; what cannot be drawn gives a warning."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from cnnbench.archs.filter_images import as_images, in_rows
from cnnbench.config.fields import MAY_CHANGE, default_of, entries, plain, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.data.commands.show import drawn_apart, evenly
from cnnbench.data.contact_sheet import draw_contact_sheet
from cnnbench.data.loading.loader import ImageMaker
from cnnbench.data.loading.transform import TrainingTransform
from cnnbench.evaluation.counts import Counts
from cnnbench.runtime.files import DISK
from cnnbench.training.context import TrainContext
from cnnbench.training.log import Log
from cnnbench.training.state import TrainState

IMAGES, DRAWS, TILE = 4, 4, 128  # of the sheet: rows, draws of each, pixels of a tile
FILTER = 32  # least side of a filter on the grid, pixels


def show_start(context: TrainContext, log: Log, images: ImageMaker) -> None:
    """A few training images, evenly over the split, under their first draws; the first filters as initialised."""
    with _tolerated(log, "augmented images"):
        assert isinstance(images.transform, TrainingTransform)
        draws = min(DRAWS, context.config.epochs * context.config.augment.repeats)
        shown, workers = evenly(len(images.split), IMAGES), 0 if context.config.data.workers == 0 else 1
        rows = list(drawn_apart(images.split, shown, images.transform, draws, workers))
        log.images(0, "augmented", np.asarray(draw_contact_sheet(rows, TILE)))
    _show_filters(context.model, log, 0)


def show_end(context: TrainContext, log: Log, state: TrainState) -> None:
    """The first filters as trained; the config beside the final errors (in percent), under HPARAMS."""
    step = context.step_at(state.epoch)
    _show_filters(context.model, log, step)
    with _tolerated(log, "final errors"):
        errors = final_errors(state)
        log.hparams(flat(context.config), errors)
        log.scalars("final", step, errors)


def final_errors(state: TrainState) -> dict[str, float]:
    """Top-1 and top-5 error, percent, of the last evaluation."""
    kinds = {"": state.counts, "averaged_": state.averaged_counts}
    return {
        f"final/{kind}{name}": getattr(Counts(*counts), name)
        for kind, counts in kinds.items()
        if counts is not None
        for name in ("top1_error", "top5_error")
    }


def flat(config: TrainConfig) -> dict[str, str | float | bool]:
    """The keys that make a run what it is, where they are not the schema's defaults, by their dotted names."""
    values = {}
    for name, item in entries(TrainConfig).items():
        value = value_of(config, name)
        if not dataclasses.is_dataclass(value) and item.metadata["note"] != MAY_CHANGE and value != default_of(item):
            values[name] = value if isinstance(value, str | int | float) else plain(value)
    return values


def filter_grid(weight: torch.Tensor) -> np.ndarray:
    """The filters (N, C, H, W) of a convolution as one picture (H, W) or (H, W, 3) with values in 0 to 1.

    They stand in a square, enlarged by whole pixels.
    """
    tiles = as_images(weight.detach().float().cpu().numpy())
    return in_rows(tiles, math.ceil(math.sqrt(len(tiles))), zoom=math.ceil(FILTER / weight.shape[-1]))


def _show_filters(model: nn.Module, log: Log, step: int) -> None:
    with _tolerated(log, "filters"):
        first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
        log.images(step, "first_filters", filter_grid(first.weight))


@contextmanager
def _tolerated(log: Log, what: str) -> Iterator[None]:
    """A block that draws `what`; whatever goes wrong in it becomes a warning, but for a disk that takes no more."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        log.say(f"warning: the log gets no {what}: {error or type(error).__name__}")
