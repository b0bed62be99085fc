"""The images of a run: those that it trains on, those that choose, and those that only test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cnnbench.config.train import TrainConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.layouts.subset import hold_out
from cnnbench.data.loading.sampler import epoch_order
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.shell import counted


@dataclass(frozen=True)
class Splits:
    """`holdout`: training images that are not trained on, and choose in place of `val`; None: `val` chooses."""

    train: Split
    val: Split
    holdout: Split | None = None

    @property
    def files(self) -> str:
        """What was taken of the data set and what was left out, in words."""
        held = "" if self.holdout is None else f" | held out of train: {counted(len(self.holdout), 'image')}"
        train, val = self.train.account, self.val.account
        taken = len(self.train) + (0 if self.holdout is None else len(self.holdout))
        return f"train: {train.in_words(taken)}{held} | val: {val.in_words(len(self.val))}"


def read_splits(config: TrainConfig) -> Splits:
    """The images of the run that `config`, with its batch chosen, describes. UserError where they do not fit it."""
    train = read_split(config.data, "train")
    val = read_split(config.data, "val", train.classes)
    holdout = None
    if config.data.holdout > 0:
        train, holdout = hold_out(train, config.data.holdout)
    _check_fits(config, train)
    return _of_trial(config, Splits(train, val, holdout))


def _of_trial(config: TrainConfig, splits: Splits) -> Splits:
    """With one_batch the first batch of the run's order alone, for training and for testing; with max_eval_images that
    many images to test on, evenly over them."""
    if config.one_batch:
        order = epoch_order(len(splits.train), config.seed, 0)
        batch = splits.train.chosen(np.sort(order[: config.chosen_batch]))
        return _tested_on(config.max_eval_images, Splits(batch, batch))
    return _tested_on(config.max_eval_images, splits)


def _tested_on(most: int | None, splits: Splits) -> Splits:
    def some(split: Split) -> Split:
        if most is None or most >= len(split):
            return split
        return split.chosen(np.unique(np.linspace(0, len(split) - 1, most, dtype=np.int64)))

    held = splits.holdout
    return replace(splits, val=some(splits.val), holdout=None if held is None else some(held))


def _check_fits(config: TrainConfig, train: Split) -> None:
    """Raise UserError for fewer images than a batch, or if smoothing alone brings every class above the threshold."""
    if len(train) < config.chosen_batch:
        raise UserError(f"batch={config.batch} is more than the {len(train)} training images: use a smaller batch")
    classes = len(train.classes)
    spread, threshold = config.label_smoothing / classes, config.bce_threshold
    if threshold is not None and threshold < spread:
        raise UserError(
            f"bce_threshold={threshold:g} is below the {spread:g} that label_smoothing={config.label_smoothing:g} "
            f"gives each of {classes} classes, so that all would count in full: set bce_threshold to at least "
            f"{spread:g}, or label_smoothing=0"
        )
