"""Runs that are trials: they stop before the end of their recipe, or see fewer images, and always say so."""

from __future__ import annotations

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.shell import counted


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
