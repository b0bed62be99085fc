"""LARS: You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks, arXiv 1708.03888, Algorithm 1."""

from __future__ import annotations

import torch
from torch.optim.optimizer import ParamsT

from cnnbench.training.optimizers.shared import Optimizer, add_decay, kept, trust_ratios, with_gradients


class LARS(Optimizer):
    """r = trust_coefficient ||w|| / (||g|| + weight_decay ||w||);  v <- momentum v + lr r (g + weight_decay w);
    w <- w - v, for each tensor of weights on its own.

    r is 1 where a norm is zero, and in groups with `no_decay`: parameters that the config exempts from decay (norms,
    biases) take plain momentum steps, as in the large-batch records that use LARS. The paper adapts them too.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
    ) -> None:
        values = dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust_coefficient=trust_coefficient)
        super().__init__(params, {**values, "no_decay": False})

    def update(self) -> None:
        for group, parameters, gradients in with_gradients(self.param_groups):
            velocities = kept(self, "velocity", parameters)
            updates = add_decay(gradients, parameters, group["weight_decay"])
            if not group["no_decay"]:
                ratios = trust_ratios(parameters, gradients, group["trust_coefficient"], group["weight_decay"])
                torch._foreach_mul_(updates, ratios)
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, updates, alpha=group["lr"])
            torch._foreach_sub_(parameters, velocities)
