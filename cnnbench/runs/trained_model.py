"""The network that a command is about: that of a run, with its trained weights, or one with a weights file."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnbench.config.analyse import ExportConfig
from cnnbench.config.arch import ArchConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.config.fields import given
from cnnbench.config.train import TrainConfig
from cnnbench.config.weights import WeightsChoice, chosen_weights
from cnnbench.runs import checkpoint
from cnnbench.runs.config import load_config
from cnnbench.runs.paths import CHECKPOINTS, run_folder
from cnnbench.runtime.errors import UserError

NOTHING_GIVEN = "no network is given: give run=NAME, or arch=NETWORK weights=FILE"


@dataclass(frozen=True)
class TrainedModel:
    """All that a run, or the command line, says of a trained network."""

    title: str
    arch: ArchConfig
    weights: WeightsChoice
    classes: tuple[str, ...] | None  # WordNet ids or names in the order of the logits; None where no run is given
    trained: TrainConfig | None  # the run's own config
    averaged: dict[str, torch.Tensor] | None = None  # a state dict to take in place of `weights`


def find_trained_model(config: EvalConfig | ExportConfig) -> TrainedModel:
    """What `config` names by run and checkpoint, or by arch and weights. UserError if there is no such run."""
    if config.run is None:
        arch, weights = given(config.arch, NOTHING_GIVEN), given(chosen_weights(config), NOTHING_GIVEN)
        return TrainedModel(arch.name, arch, weights, None, None)
    folder = run_folder(config.run)
    trained = load_config(folder)
    file = checkpoint.asked_for(folder / CHECKPOINTS, config.checkpoint)
    content = checkpoint.load(file)
    averaged = None
    if config.weights_kind == "averaged":
        if "averaged" not in content:
            raise UserError(
                f"{folder} has no averaged weights: it was trained with average.kind=none; give weights_kind=raw"
            )
        averaged = content["averaged"]
    mean = content.get("mean_of")
    which = f"mean of {', '.join(mean)}" if mean else f"after epoch {content['state']['epoch']}"
    title = f"{trained.arch.name} {which} of {folder}"
    title += ", averaged weights" if averaged else ""
    weights = WeightsChoice(str(file), "model")
    return TrainedModel(title, trained.arch, weights, tuple(content["classes"]), trained, averaged)
