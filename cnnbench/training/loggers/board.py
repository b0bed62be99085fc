"""What TensorBoard shows of a run beside its curves: training images as drawn, first filters, the config with the final
errors. At the start and the end of a run, on the leader alone; what cannot be drawn is said, and the run goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard.summary import hparams

from cnnbench.archs.filter_images import as_images, in_rows
from cnnbench.config.schema import MAY_CHANGE, TrainConfig, entries, value_of
from cnnbench.config.values import plain
from cnnbench.data.commands.show import drawn, evenly
from cnnbench.data.contact_sheet import draw_contact_sheet
from cnnbench.evaluation.counts import Counts
from cnnbench.training.loggers.log import Log
from cnnbench.training.state import TrainContext, TrainState

IMAGES, DRAWS, TILE = 4, 4, 128  # of the sheet: rows, draws of each, pixels of a tile
FILTER = 32  # least side of a filter on the grid, pixels


def show_start(training: TrainContext) -> None:
    """A few training images, evenly over the split, under their first draws; the first filters as initialised."""
    with _tolerated(training.log, "augmented images"):
        images, augment = training.loader.images, training.config.augment
        draws = min(DRAWS, training.config.epochs * augment.repeats)
        shown = evenly(len(images.split), IMAGES)
        rows = [drawn(images.split, index, images.transform, draws) for index in shown]
        training.log.board.add_image("augmented", np.asarray(draw_contact_sheet(rows, TILE)), 0, dataformats="HWC")
    _show_filters(training, 0)


def show_end(training: TrainContext, position: TrainState) -> None:
    """The first filters as trained; the config beside the final errors (in percent), under HPARAMS."""
    step = position.epoch * training.steps_per_epoch
    _show_filters(training, step)
    with _tolerated(training.log, "final errors"):
        errors = final_errors(position)
        for summary in hparams(flat(training.config), errors):
            training.log.board.file_writer.add_summary(summary)
        training.log.scalars(step, errors)


def final_errors(position: TrainState) -> dict[str, float]:
    """Top-1 and top-5 error, percent, of the last evaluation."""
    kinds = {"": position.counts, "averaged_": position.averaged_counts}
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
        default = item.default_factory() if item.default is dataclasses.MISSING else item.default
        if not dataclasses.is_dataclass(value) and item.metadata["note"] != MAY_CHANGE and value != default:
            values[name] = value if isinstance(value, str | int | float) else plain(value)
    return values


def filter_grid(weight: torch.Tensor) -> np.ndarray:
    """The filters (N, C, H, W) of a convolution as one picture (H, W) or (H, W, 3) with values in 0 to 1.

    They stand in a square, enlarged by whole pixels.
    """
    tiles = as_images(weight.detach().float().cpu().numpy())
    return in_rows(tiles, math.ceil(math.sqrt(len(tiles))), zoom=math.ceil(FILTER / weight.shape[-1]))


def _show_filters(training: TrainContext, step: int) -> None:
    with _tolerated(training.log, "filters"):
        first = next(module for module in training.model.modules() if isinstance(module, nn.Conv2d))
        grid = filter_grid(first.weight)
        training.log.board.add_image("first_filters", grid, step, dataformats="HWC"[: grid.ndim])


@contextmanager
def _tolerated(log: Log, what: str) -> Iterator[None]:
    """A block that draws `what`; whatever goes wrong in it is said."""
    try:
        yield
    except Exception as error:
        log.say(f"warning: TensorBoard gets no {what}: {error or type(error).__name__}")
