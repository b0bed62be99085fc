"""Momentum in Caffe's form (src/caffe/solvers/sgd_solver.cpp, ComputeUpdateValue), which is also AlexNet's (Krizhevsky,
Sutskever, Hinton, NIPS 2012, section 5; cuda-convnet2)."""

from __future__ import annotations

import torch
from torch.optim.optimizer import ParamsT

from cnnbench.training.optimizers.shared import Optimizer, add_decay, kept, with_gradients


class CaffeSGD(Optimizer):
    """v <- momentum v - weight_decay lr w - lr g;  w <- w + v.

    The rate acts on what enters the velocity, not on the velocity itself as in torch's SGD: when the rate is divided,
    the steps before go on at the old rate and fade with the momentum. While the rate is constant both are the same.
    """

    def __init__(self, params: ParamsT, lr: float, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    def update(self) -> None:
        for group, parameters, gradients in with_gradients(self.param_groups):
            velocities = kept(self, "velocity", parameters)
            if group["weight_decay"]:
                gradients = add_decay(gradients, parameters, group["weight_decay"])
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, gradients, alpha=-group["lr"])
            torch._foreach_add_(parameters, velocities)
