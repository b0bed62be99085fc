"""A checked config as the command line makes it, without starting a process."""

from __future__ import annotations

from functools import cache

from omegaconf import OmegaConf

from cnnbench import checks, config
from cnnbench.commands import COMMANDS
from cnnbench.compose import defaults


@cache
def composed(*overrides: str) -> config.TrainConfig:
    """The checked config of `cnnbench train OVERRIDES`."""
    values = defaults(COMMANDS["train"], ["data=synthetic", *overrides])
    plain = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in values.items()
        if "." not in name
    }
    whole = config.from_dict(config.TrainConfig, plain)
    checks.check_train(whole)
    return whole
