"""What a key can be set to, and what is done for it, are tables in different folders: they hold the same names."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

import pytest

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import BATCH, CROPS, OPERATION_SETS, POLICIES, AugmentConfig, CropConfig
from cnnbench.config.average import AVERAGES, AverageConfig
from cnnbench.config.data import DataConfig
from cnnbench.config.fields import entries
from cnnbench.config.loggers import LOGGERS
from cnnbench.config.optimizer import OPTIMIZERS
from cnnbench.config.schedule import SCHEDULES
from cnnbench.config.train import LOSSES, TrainConfig
from cnnbench.data.augment.crop import training_part
from cnnbench.data.augment.effects import STRENGTHS
from cnnbench.data.augment.operations import OPERATIONS
from cnnbench.data.augment.policy import DRAWS
from cnnbench.data.decode.engines import ENGINES
from cnnbench.training.averages import share_of_new
from cnnbench.training.log import CHOSEN
from cnnbench.training.losses import LOSS_FUNCTIONS
from cnnbench.training.optimizers.build import UPDATE_RULES
from cnnbench.training.schedules import FACTORS

WITH_P = {name.removesuffix(".p") for name in entries(AugmentConfig) if name.endswith(".p")}  # groups of augment


@pytest.mark.parametrize(
    ("done", "known"),
    [
        (UPDATE_RULES, OPTIMIZERS),
        ({*FACTORS, "plateau"}, SCHEDULES),  # which goes by the errors, not by the time
        (LOSS_FUNCTIONS, LOSSES),
        (STRENGTHS, {*POLICIES, *OPERATION_SETS} - {"torchvision"}),  # which is RandAugment's own
        ({*DRAWS, "augmix"}, POLICIES),  # which is of several chains
        ({*ENGINES, "pillow", "auto"}, entries(DataConfig)["engine"].metadata["choices"]),
        (CHOSEN, LOGGERS),
        (OPERATIONS, WITH_P - set(BATCH)),
        ({*OPERATIONS, "crop"}, AugmentConfig().order),
    ],
    ids=["optimizers", "schedules", "losses", "strengths", "policies", "engines", "loggers", "operations", "order"],
)
def test_what_can_be_chosen_is_what_is_done(done: Collection[str], known: Collection[str]):
    assert set(done) == set(known)


@pytest.mark.parametrize("kind", CROPS)
def test_each_crop_is_drawn(kind: str):
    arch = ArchConfig(name="tiny", crop_ratio=0.875, mean=[0.5, 0.5, 0.5])
    assert training_part(300, 200, CropConfig(kind=kind), 64, arch, Random(0)) is not None


@pytest.mark.parametrize("kind", sorted(set(AVERAGES) - {"none"}))
def test_each_average_has_a_share(kind: str):
    assert 0 < share_of_new(AverageConfig(kind=kind), 3, 10) < 1


@pytest.mark.parametrize("name", [name for name, item in entries(TrainConfig).items() if item.metadata["kinds"]])
def test_the_keys_of_a_kind_are_keys_of_its_group(name: str):
    known, group = entries(TrainConfig), name.rpartition(".")[0]
    for kind, about in known[name].metadata["kinds"].items():
        for key in about.keys:
            assert (f"{group}.{key}" if group else key) in known, f"{name}={kind} names {key}"
