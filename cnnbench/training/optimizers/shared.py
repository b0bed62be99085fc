"""What several optimisers here use: the step around a rule, state of parameters, weight decay, trust ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

Tensors = list[torch.Tensor]


class Optimizer(torch.optim.Optimizer):
    """What torch asks of an optimiser, around the rule of `update`."""

    def update(self) -> None:
        """Change the parameters, and what is kept of them, by their gradients: one step."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure=None):
        """One step; `closure`, as with torch's own optimisers, computes the loss, which is returned, and gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.update()
        return loss


def with_gradients(groups: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Tensors, Tensors]]:
    """Each group that has any gradient, its parameters with one, and the gradients."""
    for group in groups:
        parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
        if parameters:
            yield group, parameters, [parameter.grad for parameter in parameters]


def kept(
    optimizer: torch.optim.Optimizer,
    name: str,
    parameters: Tensors,
    start: Callable[[torch.Tensor], torch.Tensor] = torch.zeros_like,
) -> Tensors:
    """What the optimiser keeps of each parameter as `name` between steps; `start` makes it at the first."""
    for parameter in parameters:
        if name not in optimizer.state[parameter]:
            optimizer.state[parameter][name] = start(parameter)
    return [optimizer.state[parameter][name] for parameter in parameters]


def add_decay(gradients: Tensors, parameters: Tensors, weight_decay: float) -> Tensors:
    """gradient + weight_decay x parameter as new tensors; the gradients themselves are left as they are."""
    return list(torch._foreach_add(gradients, parameters, alpha=weight_decay))


def trust_ratios(parameters: Tensors, updates: Tensors, coefficient: float, weight_decay: float = 0.0) -> Tensors:
    """coefficient x ||parameter|| / (||update|| + weight_decay x ||parameter||) for each tensor, as scalars on its
    device; 1 where either norm is zero."""
    size, step = (torch.stack(torch._foreach_norm(tensors)) for tensors in (parameters, updates))
    ratios = coefficient * size / (step + weight_decay * size)
    return list(torch.where((size > 0) & (step > 0), ratios, 1.0).unbind())
