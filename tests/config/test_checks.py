"""Values and combinations that cannot work are answered by a sentence with the fix, without a process of their own."""

from __future__ import annotations

import dataclasses

import pytest

from cnnbench.config.arch import ArchConfig
from cnnbench.config.average import AVERAGES, AverageConfig
from cnnbench.config.checks.train import check_train
from cnnbench.config.data import DataConfig
from cnnbench.config.optimizer import OPTIMIZERS, OptimizerConfig
from cnnbench.config.schedule import SCHEDULES, ScheduleConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError


def whole(**keys) -> TrainConfig:
    """A config of values that work, but for `keys`."""
    values = dict(
        recipe="x",
        epochs=90,
        batch=256,
        arch=ArchConfig(
            name="resnet18",
            image_size=224,
            smallest_image=17,
            crop_ratio=0.875,
            interpolation="bilinear",
            mean=[0.5] * 3,
            std=[0.5] * 3,
        ),
        data=DataConfig(path="sample"),
        optimizer=OptimizerConfig("sgd", 0.1),
        schedule=ScheduleConfig("constant"),
        image_size=64,
    )
    return TrainConfig(**{**values, **keys})


OPTIMIZER_MISTAKES = [
    (dict(kind="adamw", momentum=0.9), "optimizer.momentum=0.9 does nothing with optimizer.kind=adamw, only with sgd"),
    (dict(kind="adamw", momentum=0.9), "set optimizer.momentum=0.0, or choose a whole file by optimizer=NAME"),
    (dict(kind="lars", fused=True), "optimizer.fused=true does nothing with optimizer.kind=lars, only with sgd, adam"),
    (dict(kind="lamb", nesterov=True, momentum=0.9), "does nothing with optimizer.kind=lamb"),
    (dict(kind="adam", betas=[0.9]), "needs two values"),
    (dict(kind="adam", betas=[0.9, 1.0]), "betas[1]=1.0 is out of range"),
    (dict(kind="adam", eps=-1.0), "at least 0"),
    (dict(kind="rmsprop", alpha=1.0), "below 1"),
    (dict(kind="lars", trust_coefficient=0.0), "above 0"),
    (dict(kind="sgd", scaling="square"), "choose one of linear, sqrt, none"),
    (dict(kind="sgd", nesterov=True), "momentum above 0"),
    (dict(kind="caffe_sgd", bias_lr=-1.0), "at least 0"),
]
SCHEDULE_MISTAKES = [
    (dict(kind="cosine", gamma=0.2), "schedule.gamma=0.2 does nothing with schedule.kind=cosine, only with step"),
    (dict(kind="multi_step"), "schedule.milestones=[] is not possible"),
    (dict(kind="multi_step", milestones=[3.0, 2.0]), "ascending"),
    (dict(kind="multi_step", milestones=[-1.0, 2.0]), "above 0"),
    (dict(kind="plateau", patience=0), "at least 1"),
    (dict(kind="plateau", threshold=-1.0), "at least 0"),
    (dict(kind="plateau", most=-1), "at least 0"),
    (dict(kind="constant", most=3), "set schedule.most=null"),
    (dict(kind="one_cycle", peak=1.0), "below 1"),
    (dict(kind="one_cycle", start=2.0), "at most 1"),
    (dict(kind="polynomial", power=0.0), "above 0"),
    (dict(kind="linear", warmup_epochs=91.0), "more than epochs=90: give at most"),
]
AVERAGE_MISTAKES = [
    (dict(kind="none", every=5), "average.every=5 does nothing with average.kind=none, only with ema, polyak"),
    (dict(kind="polyak", decay=0.9), "only with ema"),
    (dict(kind="ema", decay=1.0), "below 1"),
    (dict(kind="ema", every=0), "at least 1"),
    (dict(kind="polyak", follows="run"), "average.follows=run does nothing with average.kind=polyak, only with ema"),
    (dict(kind="none", precise_bn=8192), "only with ema, polyak"),
    (dict(kind="ema", precise_bn=0), "at least 1"),
    (dict(kind="polyak", start_epoch=90.0), "past the end of epochs=90"),
]
OTHERS = [
    (dict(bce_threshold=0.2), "loss=bce"),
    (dict(bce_threshold=1.0, loss="bce"), "below 1"),
    (dict(filter_radius=0.0), "above 0"),
    (dict(label_smoothing=1.0), "below 1"),
    (dict(arch=dataclasses.replace(whole().arch, stochastic_depth=1.0)), "below 1"),
    (dict(arch=dataclasses.replace(whole().arch, bn_epsilon=0.0)), "above 0"),
    (dict(arch=dataclasses.replace(whole().arch, bn_momentum=1.1)), "at most 1"),
    (dict(bn_group=32, sync_batchnorm=True), "bn_group and sync_batchnorm=true exclude each other"),
    (dict(bn_group=0), "at least 1"),
    (dict(precise_bn=0), "at least 1"),
]
MISTAKES = [
    *((dict(optimizer=OptimizerConfig(**{"lr": 0.1, **keys})), hint) for keys, hint in OPTIMIZER_MISTAKES),
    *((dict(schedule=ScheduleConfig(**keys)), hint) for keys, hint in SCHEDULE_MISTAKES),
    *((dict(average=AverageConfig(**keys)), hint) for keys, hint in AVERAGE_MISTAKES),
    *OTHERS,
]


@pytest.mark.parametrize(("keys", "hint"), MISTAKES, ids=[hint for _, hint in MISTAKES])
def test_mistake_has_a_sentence(keys, hint):
    with pytest.raises(UserError) as caught:
        check_train(whole(**keys))
    assert hint in str(caught.value)


def test_values_that_work_pass():
    check_train(whole())
    check_train(whole(schedule=ScheduleConfig("multi_step", milestones=[30.0, 60.0]), average=AverageConfig("ema")))
    check_train(whole(loss="bce", bce_threshold=0.0, filter_radius=0.1))


@pytest.mark.parametrize(
    ("schema", "tables"),
    [(OptimizerConfig, OPTIMIZERS), (ScheduleConfig, SCHEDULES), (AverageConfig, AVERAGES)],
)
def test_tables_of_acting_keys_name_keys_and_every_kind(schema, tables):
    names = {item.name: item for item in dataclasses.fields(schema)}
    assert set(tables) == set(names["kind"].metadata["choices"])
    assert {name for kind in tables.values() for name in kind.keys} <= set(names)
