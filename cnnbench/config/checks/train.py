"""Training, and what is estimated before it."""

from __future__ import annotations

from cnnbench.config.arch import check_arch, check_size
from cnnbench.config.augment import check_augment
from cnnbench.config.average import check_average
from cnnbench.config.batch import check_accumulate, recipe_batch_of
from cnnbench.config.checks.common import (
    check_loading,
    check_weights,
    check_whole,
)
from cnnbench.config.data import MISSING
from cnnbench.config.fields import AUTO, check_fields, plain, require
from cnnbench.config.image_size import check_image_sizes, input_size, training_image_sizes
from cnnbench.config.loggers import check_loggers
from cnnbench.config.optimizer import check_optimizer
from cnnbench.config.recipes import check_recipe
from cnnbench.config.resolution import check_resolution
from cnnbench.config.runs import check_runs
from cnnbench.config.schedule import check_schedule
from cnnbench.config.train import TrainConfig


def check_train(config: TrainConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_runs(config)
    check_arch(config.arch)
    require(config.data.path is not None, MISSING)
    require(
        not config.sync_batchnorm or config.device != "cpu",
        "sync_batchnorm=true needs GPUs: leave it out with device=cpu",
    )
    require(
        config.bn_group is None or not config.sync_batchnorm,
        "bn_group and sync_batchnorm=true exclude each other: groups of images, or all of them; leave one out",
    )
    require(
        config.bce_threshold is None or config.loss == "bce", "bce_threshold acts with loss=bce only: set it to null"
    )
    require(
        not config.one_batch or config.data.holdout == 0,
        "one_batch=true trains and tests on one batch, of which data.holdout takes nothing: leave one out",
    )
    check_accumulate(config)
    require(
        config.channels_last in (True, False, AUTO),
        f"channels_last={plain(config.channels_last)}: give true, false or auto",
    )
    check_loggers(config.logger)
    check_optimizer(config.optimizer)
    check_schedule(config.schedule, config.epochs)
    check_average(config.average, config.epochs)
    check_augment(config.augment, input_size(config))
    check_loading(config)
    if config.weights is not None:
        check_weights(config.weights)
    check_resolution(config.resolution)
    for size in sorted({input_size(config), *training_image_sizes(config)}):
        check_size(config.arch, size)
    check_recipe(config)
    check_image_sizes(config)
    check_whole(config)
    if config.batch is None:
        recipe_batch_of(config)
