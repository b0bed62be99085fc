"""What several commands have to have in common."""

from __future__ import annotations

import os

from cnnbench.config.analyse import (
    ExportConfig,
    VerifyConfig,
)
from cnnbench.config.arch import from_torchvision
from cnnbench.config.bench import BenchConfig
from cnnbench.config.data import check_file, check_source, without_secrets
from cnnbench.config.evaluate import EvalConfig, TrainedConfig
from cnnbench.config.fields import require
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import place_in_group


def check_loading(config: TrainConfig | TrainedConfig | VerifyConfig) -> None:
    """Raise UserError for processes, data or arithmetic that are not there."""
    place = place_in_group(os.environ)
    started = None if place is None else place.world
    processes = getattr(config, "processes", None)
    require(
        started is None or processes in (None, started),
        f"processes={processes}, but the launcher has started {started}: leave processes= out",
    )
    if config.data.path is not None:
        check_source(config.data)
    if not isinstance(config, VerifyConfig):
        check_precision(config)


def check_precision(config: TrainConfig | TrainedConfig | BenchConfig) -> None:
    """Raise UserError for arithmetic that the device does not have."""
    require(
        config.device != "cpu" or config.precision != "fp16",
        "precision=fp16 needs a GPU: use precision=bf16 or precision=float32 with device=cpu",
    )


def check_weights(weights: str) -> None:
    """Raise UserError for a file of weights that is not there."""
    require(
        "://" not in weights, f"weights={without_secrets(weights)} is an address: download the file first, and name it"
    )
    if not from_torchvision(weights):
        check_file("weights", weights)


def check_whole(config: TrainConfig | EvalConfig) -> None:
    """Raise UserError if the protocol needs whole images, which the network cannot take."""
    arch = config.arch
    if arch is not None and arch.not_whole is not None and PROTOCOLS[config.protocol].whole:
        raise UserError(
            f"protocol={config.protocol} cannot be done with {arch.name}: {arch.not_whole}; use protocol=ten_crop"
        )


def check_alone(config: TrainedConfig | ExportConfig | VerifyConfig, *names: str) -> None:
    """A run says what the keys `names` say otherwise."""
    key = "run" if config.run is not None else "runs" if getattr(config, "runs", []) else None
    for name in names if key else ():
        require(getattr(config, name) is None, f"{key}= and {name}= exclude each other: the run has its own {name}")


def check_weights_kind(config: TrainedConfig | ExportConfig) -> None:
    """Raise UserError for averaged weights of no run."""
    require(
        config.run is not None or bool(getattr(config, "runs", [])) or config.weights_kind == "raw",
        f"weights_kind={config.weights_kind} needs a run: give run=NAME",
    )
