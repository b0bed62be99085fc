"""The part of a network that a run leaves as it is: `freeze=LAYER`."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from cnnbench.archs.depth import modules_up_to
from cnnbench.config.image_size import input_size
from cnnbench.config.train import TrainConfig


@dataclass(frozen=True)
class Frozen:
    """The modules of a network, by their paths, whose weights are fixed and that run as in evaluation: batch
    normalisation by its running statistics, which stay, and without dropout (as facebookresearch/moco, main_lincls.py,
    has it: statistics that move are "part of the model parameters too")."""

    paths: frozenset[str] = field(default_factory=frozenset)

    def train(self, model: nn.Module) -> None:
        """Put `model` into training mode, all but what is frozen."""
        model.train()
        for path, module in model.named_modules():
            if path in self.paths:
                module.training = False

    def holds(self, name: str) -> bool:
        """Whether the tensor `name` of a state dict is of a frozen module."""
        return name.rpartition(".")[0] in self.paths


def freeze(model: nn.Module, config: TrainConfig) -> Frozen:
    """Fix the weights of `model` up to the layer of `config`, in place. UserError for a layer that is not there."""
    if config.freeze is None:
        return Frozen()
    paths = modules_up_to(model, config.freeze, input_size(config), config.arch.in_channels)
    for path in paths:
        for parameter in model.get_submodule(path).parameters(recurse=False):
            parameter.requires_grad_(False)
    return Frozen(frozenset(paths))
