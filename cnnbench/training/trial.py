"""Runs that are trials: they stop before the end of their recipe, or see fewer images, and always say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.sampler import epoch_order
from cnnbench.runtime.shell import counted


def splits_of_trial(config: TrainConfig, train: Split, val: Split) -> tuple[Split, Split]:
    """The images of a run: with one_batch the first batch of the run's order alone, for training and for testing; with
    max_eval_images that many validation images, evenly over them."""
    if config.one_batch:
        train = _chosen(train, np.sort(epoch_order(len(train), config.seed, 0)[: config.chosen_batch]))
        val = train
    most = config.max_eval_images
    if most is not None and most < len(val):
        val = _chosen(val, np.unique(np.linspace(0, len(val) - 1, most, dtype=np.int64)))
    return train, val


def trial_of(config: TrainConfig, steps_per_epoch: int) -> str | None:
    """What makes the run of `config` a trial, in words; None if nothing does."""
    steps, parts = config.epochs * steps_per_epoch, []
    if config.max_steps is not None and config.max_steps < steps:
        parts.append(f"{config.max_steps:,} of {counted(steps, 'step')} (max_steps)")
    if config.one_batch:
        parts.append(f"one batch of {counted(config.chosen_batch, 'image')}, for training and for testing (one_batch)")
    if config.max_eval_images is not None:
        parts.append(f"tested on at most {counted(config.max_eval_images, 'image')} (max_eval_images)")
    if not parts:
        return None
    return (f"debug={config.debug}: " if config.debug else "") + ", ".join(parts)


def _chosen(split: Split, images: np.ndarray) -> Split:
    return replace(split, labels=split.labels[images], numbers=split.numbers[images])
