"""On an accelerator a step that is not finite changes nothing, though nobody on the host waits to see whether it was:
a flag on the device, set by the first such step, holds back that step's update and all that come after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn


class Guard:
    """Of the weights, what the optimiser keeps of them, and the buffers (batch normalisation's statistics) of `model`.

    Optimisers of one kernel (torch's fused ones) take the flag themselves, and cost nothing. Of others the weights and
    what is kept of them are copied before each update, and put back by the flag. The buffers, which the forward pass
    changes before anything is known, are laid out anew in one piece of memory for each type: so a step copies and
    selects them by two kernels. Made before the network is wrapped or copied.
    """

    def __init__(self, model: nn.Module) -> None:
        self.bad = torch.zeros(
            (), device=next(model.parameters()).device
        )  # 1 from the first step on that is not finite
        self.buffers = packed(model)
        self.before = [torch.zeros_like(buffer) for buffer in self.buffers]

    def begin(self) -> None:
        """Before a step: keep the buffers."""
        for kept, buffer in zip(self.before, self.buffers, strict=True):
            kept.copy_(buffer)

    def poisoned(self, loss: torch.Tensor) -> torch.Tensor:
        """`loss`, NaN once a step was not finite, and so its gradients, by which a scaler holds an update back."""
        return loss * torch.where(self.bad > 0, torch.nan, 1.0)

    @torch.no_grad()
    def judge(self, loss: torch.Tensor, norm: torch.Tensor | None) -> None:
        """Set the flag if a step's loss, or gradient norm, is not finite, and put the buffers back if it is set."""
        finite = torch.isfinite(loss) if norm is None else torch.isfinite(loss) & torch.isfinite(norm)
        torch.maximum(self.bad, (~finite).float(), out=self.bad)
        for kept, buffer in zip(self.before, self.buffers, strict=True):
            buffer.copy_(torch.where(self.bad > 0, kept, buffer))

    def update(self, optimizer: torch.optim.Optimizer, step: Callable[[], object], more: bool) -> None:
        """Call `step`, which has `optimizer` change the weights, and may change `more` by itself: without effect once
        the flag is set."""
        if takes_flag(optimizer):
            start_momentum(optimizer)
        if not more and takes_flag(optimizer):
            optimizer.grad_scale, optimizer.found_inf = None, self.bad  # type: ignore[attr-defined]
            try:
                step()
            finally:
                del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
            return
        with torch.no_grad():
            kept = {tensor: tensor.clone() for tensor in _changed(optimizer)}
            step()
            for tensor in _changed(optimizer):  # the first step makes what is kept from then on
                before = kept.get(tensor)
                tensor.copy_(torch.where(self.bad > 0, torch.zeros_like(tensor) if before is None else before, tensor))


def takes_flag(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimiser's kernel does nothing where `found_inf` is 1."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def start_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Zeros as the momentum of SGD before its first step: its own start, the first gradient, is left without a value by
    a kernel that is held back. Without dampening both are the same step."""
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            if parameter.grad is not None and "momentum_buffer" not in optimizer.state[parameter]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def packed(model: nn.Module) -> list[torch.Tensor]:
    """The buffers of `model`, moved into one tensor (n,) for each type, which are returned."""
    places: dict[torch.Tensor, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for name, buffer in module._buffers.items():
            if buffer is not None:
                places.setdefault(buffer, []).append((module, name))
    by_type: dict[torch.dtype, list[torch.Tensor]] = {}
    for buffer in places:
        by_type.setdefault(buffer.dtype, []).append(buffer)
    whole = []
    for buffers in by_type.values():
        flat = torch.cat([buffer.detach().reshape(-1) for buffer in buffers])
        for buffer, part in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
            for module, name in places[buffer]:
                module._buffers[name] = part.view(buffer.shape)
        whole.append(flat)
    return whole


def _changed(optimizer: torch.optim.Optimizer) -> Iterable[torch.Tensor]:
    """The weights, and what the optimiser keeps of them on their device."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield parameter
            kept = optimizer.state[parameter].values() if parameter in optimizer.state else ()
            yield from (each for each in kept if isinstance(each, torch.Tensor) and each.device == parameter.device)
