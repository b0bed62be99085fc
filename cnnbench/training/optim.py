"""Optimisers, and which parameters decay: decided by the type of the module, never by a parameter's name."""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.config import OptimizerConfig

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def build_optimizer(model: nn.Module, config: OptimizerConfig, batch: int) -> torch.optim.Optimizer:
    """The configured optimiser, at its full learning rate for a global batch of `batch` images."""
    return OPTIMIZERS[config.kind](_groups(model, config), scaled_rate(config, batch), config)


def scaled_rate(config: OptimizerConfig, batch: int) -> float:
    """Linear scaling: the rate is stated at `base_batch` (Goyal et al. 2017, section 2.1)."""
    return config.lr * batch / config.base_batch


def _groups(model: nn.Module, config: OptimizerConfig) -> list[dict]:
    """Parameters with weight decay and those without."""
    decayed, free = [], []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS):
                decays = config.decay_norms
            else:
                decays = config.decay_biases or name != "bias"
            (decayed if decays else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _sgd(groups: list[dict], lr: float, config: OptimizerConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr, momentum=config.momentum, dampening=config.dampening, nesterov=config.nesterov)


OPTIMIZERS = {"sgd": _sgd}
