"""Muon: Jordan et al. 2024 (kellerjordan.github.io/posts/muon); lengths of Liu et al. 2025 (arXiv 2502.16982)."""

from __future__ import annotations

import math

import torch
from torch.optim.optimizer import ParamsT

from cnnbench.training.optimizers.shared import Optimizer, kept, with_gradients

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024, "Tuning the coefficients"
ITERATIONS = 5  # there
LENGTH = 0.2  # Liu et al. 2025, section 2.2: the root mean square of AdamW's steps
SMALLEST = 1e-7  # Jordan's code: added to no norm, but the least that one is taken for


class Muon(Optimizer):
    """Weights of two and more dimensions, as matrices (first dimension, all others), take the nearest orthogonal matrix
    of their Nesterov momentum as their step, times 0.2 sqrt(the longer side); norms and biases take AdamW's step at the
    same rate. Decay is decoupled.

    The classifier is a matrix like all others here, where Jordan gives it to AdamW.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        own = dict(momentum=momentum, betas=tuple(betas), eps=eps)
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, no_decay=False, **own))

    def update(self) -> None:
        for group, parameters, gradients in with_gradients(self.param_groups):
            group["steps"] = group.get("steps", 0) + 1
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            pairs = list(zip(parameters, gradients, strict=True))
            _matrices(self, group, [pair for pair in pairs if pair[0].ndim > 1])
            _others(self, group, [pair for pair in pairs if pair[0].ndim <= 1])


Pairs = list[tuple[torch.Tensor, torch.Tensor]]  # parameters with their gradients


def _matrices(optimizer: Optimizer, group: dict, pairs: Pairs) -> None:
    momentum = group["momentum"]
    for (parameter, gradient), mean in zip(pairs, kept(optimizer, "mean", [one for one, _ in pairs]), strict=True):
        mean.lerp_(gradient, 1 - momentum)
        step = orthogonal(gradient.lerp(mean, momentum).flatten(1)).view_as(parameter)
        length = LENGTH * math.sqrt(max(parameter.shape[0], parameter[0].numel()))
        parameter.add_(step, alpha=-group["lr"] * length)


def _others(optimizer: Optimizer, group: dict, pairs: Pairs) -> None:
    parameters = [parameter for parameter, _ in pairs]
    (beta1, beta2), steps = group["betas"], group["steps"]
    means, squares = (kept(optimizer, name, parameters) for name in ("mean", "mean_square"))
    for (parameter, gradient), mean, square in zip(pairs, means, squares, strict=True):
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**steps)).sqrt_().add_(group["eps"])
        parameter.addcdiv_(mean, root, value=-group["lr"] / (1 - beta1**steps))


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The orthogonal matrix nearest to `matrix`, float (rows, columns), roughly: its singular values end between
    0.7 and 1.2, by five steps of a Newton-Schulz iteration in bfloat16, as in Jordan's code."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    found = (matrix.T if tall else matrix).bfloat16()
    found = found / found.norm().clamp(min=SMALLEST)
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found.T if tall else found).to(matrix.dtype)
