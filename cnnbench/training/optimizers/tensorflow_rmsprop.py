"""RMSProp as the Inception papers' networks were trained: TensorFlow 1's tf.train.RMSPropOptimizer."""

from __future__ import annotations

import torch
from torch.optim.optimizer import ParamsT

from cnnbench.training.optimizers.shared import Optimizer, add_decay, kept, with_gradients


class TensorFlowRMSProp(Optimizer):
    """s <- alpha s + (1 - alpha) g^2;  v <- momentum v + lr g / sqrt(s + eps);  w <- w - v.  s starts at 1.

    Against torch.optim.RMSprop: eps stands inside the root, s starts at 1 and not at 0, and the rate acts on what
    enters v. With the papers' eps of 1.0 (Szegedy et al. 2016, section 8) the divisor is at first sqrt(2), where
    torch's is near 1. Weight decay is an L2 penalty: it is part of g, as in the released code.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        alpha: float = 0.9,
        eps: float = 1e-10,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay))

    def update(self) -> None:
        for group, parameters, gradients in with_gradients(self.param_groups):
            mean_squares = kept(self, "mean_square", parameters, torch.ones_like)
            velocities = kept(self, "velocity", parameters)
            if group["weight_decay"]:
                gradients = add_decay(gradients, parameters, group["weight_decay"])
            torch._foreach_mul_(mean_squares, group["alpha"])
            torch._foreach_addcmul_(mean_squares, gradients, gradients, 1 - group["alpha"])
            roots = torch._foreach_add(mean_squares, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_addcdiv_(velocities, gradients, roots, group["lr"])
            torch._foreach_sub_(parameters, velocities)
