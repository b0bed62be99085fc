"""LAMB: You et al., Large Batch Optimization for Deep Learning, ICLR 2020 (arXiv 1904.00962), Algorithm 2."""

from __future__ import annotations

import torch
from torch.optim.optimizer import ParamsT

from cnnbench.training.optimizers.shared import Optimizer, add_decay, kept, trust_ratios, with_gradients


class LAMB(Optimizer):
    """Adam's step with its bias correction, u = m / (sqrt(v) + eps) + weight_decay w, scaled for each tensor of weights
    to the length of the weights:  w <- w - lr (||w|| / ||u||) u.

    The factor is 1 where a norm is zero, and in groups with `no_decay`: parameters that the config exempts from decay
    (norms, biases) take Adam's step, as in the authors' code. The paper's bounds on ||w|| are left out, as there.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, no_decay=False))

    def update(self) -> None:
        for group, parameters, gradients in with_gradients(self.param_groups):
            beta1, beta2 = group["betas"]
            group["steps"] = group.get("steps", 0) + 1
            means = kept(self, "mean", parameters)
            mean_squares = kept(self, "mean_square", parameters)
            torch._foreach_lerp_(means, gradients, 1 - beta1)
            torch._foreach_mul_(mean_squares, beta2)
            torch._foreach_addcmul_(mean_squares, gradients, gradients, 1 - beta2)
            roots = torch._foreach_div(mean_squares, 1 - beta2 ** group["steps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_add_(roots, group["eps"])
            updates = list(torch._foreach_div(means, 1 - beta1 ** group["steps"]))
            torch._foreach_div_(updates, roots)
            updates = add_decay(updates, parameters, group["weight_decay"])
            if not group["no_decay"]:
                torch._foreach_mul_(updates, trust_ratios(parameters, updates, 1.0))
            torch._foreach_add_(parameters, updates, alpha=-group["lr"])
