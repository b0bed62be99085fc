"""Optimisers, and which parameters decay or have another rate: decided by the type of the module, and within it by what
is its bias, never by a parameter's full name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product

import torch
from torch import nn

from cnnbench.archs.depth import classifiers, depths
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.runtime.backends import backend_of
from cnnbench.runtime.implementations import Implementations
from cnnbench.training.optimizers.caffe_sgd import CaffeSGD
from cnnbench.training.optimizers.lamb import LAMB
from cnnbench.training.optimizers.lars import LARS
from cnnbench.training.optimizers.muon import Muon
from cnnbench.training.optimizers.tensorflow_rmsprop import TensorFlowRMSProp

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, batch: int, factors: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """The configured optimiser, at its full learning rate for a global batch of `batch` images. `factors`: on the rates
    of the modules at these paths (`module_factors`), beside those that the kind of a parameter has."""
    optimizer = UPDATE_RULES[config.kind](
        _groups(model, config, factors or {}), scaled_learning_rate(config, batch), config
    )
    set_rate(optimizer, scaled_learning_rate(config, batch))
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give each group of parameters `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)  # an optimiser of a bare loop has none


def scaled_learning_rate(config: OptimizerConfig, batch: int) -> float:
    """The rate at a global batch of `batch` images. It is stated at `base_batch` and grows linearly (Goyal et al. 2017,
    section 2.1), with the square root (Krizhevsky 2014, section 5; LAMB), or not at all."""
    return config.lr * SCALING[config.scaling](batch / config.base_batch)


def module_factors(model: nn.Module, config: OptimizerConfig, image_size: int, in_channels: int) -> dict[str, float]:
    """Factors on the rates of modules, by their paths, where they are not 1: layer_decay to the power of the blocks
    behind them, and classifier_lr."""
    factors: dict[str, float] = {}
    if config.layer_decay != 1:
        found = depths(model, image_size, in_channels)
        factors = {path: config.layer_decay**depth for path, depth in found.items() if depth}
    if config.classifier_lr != 1:
        factors |= dict.fromkeys(classifiers(model), config.classifier_lr)
    return factors


def _groups(model: nn.Module, config: OptimizerConfig, of_module: Mapping[str, float]) -> list[dict]:
    """Parameters by whether they decay and by the factor on their rate, `rate_factor`; groups that hold any."""
    found: dict[tuple[bool, float], list[nn.Parameter]] = {}
    factors = (1.0, config.bias_lr) if config.bias_lr != 1 else (1.0,)
    for place in product((True, False), factors):
        found[place] = []
    for path, module in model.named_modules():
        norm = isinstance(module, NORMS)
        for name, parameter in module.named_parameters(recurse=False):
            decays = config.decay_norms if norm else config.decay_biases or name != "bias"
            factor = (config.bias_lr if name == "bias" and not norm else 1.0) * of_module.get(path, 1.0)
            found.setdefault((decays, factor), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": config.weight_decay if decays else 0.0,
            "no_decay": not decays,
            "rate_factor": factor,
        }
        for (decays, factor), parameters in found.items()
        if parameters
    ]


def _betas(config: OptimizerConfig) -> tuple[float, float]:
    first, second = config.betas
    return first, second


def _fused(config: OptimizerConfig, groups: list[dict]) -> bool | None:
    """Whether all weights are updated by one kernel: where that is wanted, and where the device has such kernels, which
    also hold back a step that is not finite by themselves. With dampening a step that is held back could not be the
    first."""
    here = backend_of(groups[0]["params"][0].device).fused and not (config.kind == "sgd" and config.dampening)
    return True if config.fused or here else None


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
            fused=_fused(config, groups),
        ),
        "caffe_sgd": lambda groups, lr, config: CaffeSGD(groups, lr, config.momentum),
        "rmsprop": lambda groups, lr, config: torch.optim.RMSprop(
            groups, lr, alpha=config.alpha, eps=config.eps, momentum=config.momentum
        ),
        "tensorflow_rmsprop": lambda groups, lr, config: TensorFlowRMSProp(
            groups, lr, config.alpha, config.eps, config.momentum
        ),
        "adam": lambda groups, lr, config: torch.optim.Adam(
            groups, lr, betas=_betas(config), eps=config.eps, fused=_fused(config, groups)
        ),
        "adamw": lambda groups, lr, config: torch.optim.AdamW(
            groups, lr, betas=_betas(config), eps=config.eps, fused=_fused(config, groups)
        ),
        "muon": lambda groups, lr, config: Muon(groups, lr, config.momentum, _betas(config), config.eps),
        "lars": lambda groups, lr, config: LARS(
            groups, lr, config.momentum, trust_coefficient=config.trust_coefficient
        ),
        "lamb": lambda groups, lr, config: LAMB(groups, lr, _betas(config), config.eps),
    },
)
