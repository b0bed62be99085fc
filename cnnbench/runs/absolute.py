"""Paths that a run records: absolute, so that they mean the same files from any folder, with what was typed beside."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from cnnbench.config.arch import from_torchvision
from cnnbench.config.data import is_synthetic
from cnnbench.config.train import TrainConfig

PATHS = ("data.path", "data.classes", "weights")  # keys of TrainConfig
NO_PATHS = ("sample",)


def absolute(path: str) -> str:
    """`path` as an absolute one; URLs, and words that name no file (sample, synthetic, torchvision), as they are."""
    if path in NO_PATHS or "://" in path or is_synthetic(path) or from_torchvision(path):
        return path
    return os.path.abspath(os.path.expanduser(path))


def absolute_if_given(path: str | None) -> str | None:
    """None, or the absolute `path`."""
    return None if path is None else absolute(path)


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """`config` with its PATHS absolute."""
    data = config.data
    data = dataclasses.replace(data, path=absolute_if_given(data.path), classes=absolute_if_given(data.classes))
    return dataclasses.replace(config, data=data, weights=absolute_if_given(config.weights))


def typed(given: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """Those of the values `given` that are `recorded` otherwise."""
    return {name: value for name, value in given.items() if value != recorded[name]}
