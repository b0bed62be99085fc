"""A checked config as the command line makes it, without starting a process."""

from __future__ import annotations

from functools import cache

from omegaconf import OmegaConf

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.config.fields import from_dict
from cnnbench.config.train import TrainConfig


@cache
def composed(*overrides: str) -> TrainConfig:
    """The checked config of `cnnbench train OVERRIDES`."""
    values = defaults(COMMANDS["train"], ["data=synthetic", *overrides])
    plain = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in values.items()
        if "." not in name
    }
    whole = from_dict(TrainConfig, plain)
    COMMANDS["train"].check(whole)
    return whole
