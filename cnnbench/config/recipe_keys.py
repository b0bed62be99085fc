"""The keys by which a recipe decides what training and its test compute, as far as they act."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from cnnbench.config.augment import BATCH, AugmentConfig
from cnnbench.config.fields import value_of
from cnnbench.config.resolution import ResolutionConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.train import TrainConfig

TOP = (
    *("epochs", "recipe_batch", "loss", "bce_threshold", "label_smoothing", "clip_norm", "filter_radius", "freeze"),
    *("bn_group", "precise_bn", "protocol"),
)
GROUPS = ("optimizer", "schedule", "average", "resolution")
NETWORK = (
    *("image_size", "crop_ratio", "interpolation", "mean", "std", "dropout", "stochastic_depth"),
    *("stochastic_depth_from", "zero_init", "blurpool", "bn_momentum", "bn_epsilon", "bn_scale"),
)
SPEED = ("optimizer.fused", "augment.device")  # decide how fast, not what


def acting_keys(config: TrainConfig) -> list[str]:
    """The dotted names of the keys that decide what `config` computes: those of a kind, an operation or a warm-up that
    is not chosen are left out. `augment` itself stands for the choice of the operations."""
    names = [name for name in TOP if name != "bce_threshold" or config.loss == "bce"]
    for group in GROUPS:
        names += [f"{group}.{name}" for name in _of_group(getattr(config, group))]
    names += ["augment", *(f"augment.{name}" for name in _of_augment(config.augment))]
    names += [f"arch.{name}" for name in NETWORK if name != "stochastic_depth_from" or config.arch.stochastic_depth]
    names += [f"arch.options.{name}" for name in config.arch.options]
    return [name for name in names if name not in SPEED]


def operations(augment: AugmentConfig) -> list[str]:
    """The operations that act, in their order, and then the mixing of images."""
    return [name for name in (*augment.order, *BATCH) if name == "crop" or value_of(augment, f"{name}.p") > 0]


def _of_augment(augment: AugmentConfig) -> Iterator[str]:
    for name in operations(augment):
        yield from (f"{name}.{key}" for key in _of_group(getattr(augment, name)))
    if augment.repeats > 1:
        yield "repeats"


def _of_group(group: Any) -> Iterator[str]:
    """The keys of `group` that act with its kind, and with the values of its other keys."""
    acting = _acting_with_kind(group)
    for item in dataclasses.fields(group):
        condition = CONDITIONS.get((type(group), item.name))
        if item.name in acting and (condition is None or condition(group)):
            yield item.name


def _acting_with_kind(group: Any) -> set[str]:
    """The keys that act with the kind of `group`, beside those that act with every kind."""
    names = {item.name for item in dataclasses.fields(group)}
    kinds = next((item.metadata["kinds"] for item in dataclasses.fields(group) if item.name == "kind"), None)
    if kinds is None:
        return names
    of_some_kind = {name for kind in kinds.values() for name in kind.keys}
    return names - of_some_kind | set(kinds[group.kind].keys)


def _warms_up(schedule: ScheduleConfig) -> bool:
    return schedule.warmup_epochs > 0


def _grows(resolution: ResolutionConfig) -> bool:
    return resolution.first is not None


def _other_side(resolution: ResolutionConfig) -> bool:
    return _grows(resolution) or resolution.train != 1


# Keys that do nothing with some values of others.
CONDITIONS: dict[tuple[type, str], Callable[[Any], bool]] = {
    (ScheduleConfig, "warmup"): _warms_up,
    (ScheduleConfig, "warmup_start"): _warms_up,
    (ResolutionConfig, "grow_from"): _grows,
    (ResolutionConfig, "grow_until"): _grows,
    (ResolutionConfig, "multiple"): _other_side,
    (ResolutionConfig, "where_possible"): _other_side,
}
