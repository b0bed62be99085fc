"""Optimisers, and which parameters decay: decided by the type of the module, never by a parameter's name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.runtime.implementations import Implementations
from cnnbench.training.optimizers.alexnet_sgd import AlexNetSGD
from cnnbench.training.optimizers.lamb import LAMB
from cnnbench.training.optimizers.lars import LARS
from cnnbench.training.optimizers.tensorflow_rmsprop import TensorFlowRMSProp

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def build_optimizer(model: nn.Module, config: OptimizerConfig, batch: int) -> torch.optim.Optimizer:
    """The configured optimiser, at its full learning rate for a global batch of `batch` images."""
    return UPDATE_RULES[config.kind](_groups(model, config), scaled_learning_rate(config, batch), config)


def scaled_learning_rate(config: OptimizerConfig, batch: int) -> float:
    """The rate at a global batch of `batch` images. It is stated at `base_batch` and grows linearly (Goyal et al. 2017,
    section 2.1), with the square root (Krizhevsky 2014, section 5; LAMB), or not at all."""
    return config.lr * SCALING[config.scaling](batch / config.base_batch)


def _groups(model: nn.Module, config: OptimizerConfig) -> list[dict]:
    """Parameters with weight decay, and those without it."""
    decayed: list[nn.Parameter] = []
    exempt: list[nn.Parameter] = []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS):
                decays = config.decay_norms
            else:
                decays = config.decay_biases or name != "bias"
            (decayed if decays else exempt).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay, "no_decay": False},
        {"params": exempt, "weight_decay": 0.0, "no_decay": True},
    ]
    return [group for group in groups if group["params"]]


def _betas(config: OptimizerConfig) -> tuple[float, float]:
    first, second = config.betas
    return first, second


SCALING: dict[str, Callable[[float], float]] = {
    "linear": lambda ratio: ratio,
    "sqrt": math.sqrt,
    "none": lambda ratio: 1.0,
}

# The kinds of config.optimizer.OPTIMIZERS, which says what keys each takes.
UPDATE_RULES: Implementations[Callable[[list[dict], float, OptimizerConfig], torch.optim.Optimizer]] = Implementations(
    "UPDATE_RULES in cnnbench/training/optimizers/build.py",
    {
        "sgd": lambda groups, lr, config: torch.optim.SGD(
            groups,
            lr,
            momentum=config.momentum,
            dampening=config.dampening,
            nesterov=config.nesterov,
            fused=config.fused or None,
        ),
        "alexnet_sgd": lambda groups, lr, config: AlexNetSGD(groups, lr, config.momentum),
        "rmsprop": lambda groups, lr, config: torch.optim.RMSprop(
            groups, lr, alpha=config.alpha, eps=config.eps, momentum=config.momentum
        ),
        "tensorflow_rmsprop": lambda groups, lr, config: TensorFlowRMSProp(
            groups, lr, config.alpha, config.eps, config.momentum
        ),
        "adam": lambda groups, lr, config: torch.optim.Adam(
            groups, lr, betas=_betas(config), eps=config.eps, fused=config.fused or None
        ),
        "adamw": lambda groups, lr, config: torch.optim.AdamW(
            groups, lr, betas=_betas(config), eps=config.eps, fused=config.fused or None
        ),
        "lars": lambda groups, lr, config: LARS(
            groups, lr, config.momentum, trust_coefficient=config.trust_coefficient
        ),
        "lamb": lambda groups, lr, config: LAMB(groups, lr, _betas(config), config.eps),
    },
)
