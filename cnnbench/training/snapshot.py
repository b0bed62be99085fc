"""The state of a run as a checkpoint's content, and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from cnnbench.runtime.distributed import gather_to_leader
from cnnbench.training.state import TrainContext, TrainState


@dataclass
class Share:
    """What one process knows alone in the middle of an epoch."""

    loss_sum: float
    counted: int
    buffers: dict[str, torch.Tensor]  # batch normalisation's statistics


def content(training: TrainContext, position: TrainState) -> dict[str, Any] | None:
    """What a checkpoint holds, on rank 0; None elsewhere. Called on every process, and changes nothing: buffers that
    differ between processes are averaged in what is saved, and kept beside it for the same number of processes."""
    shares = []
    if position.step:  # else all processes are alike
        buffers = {name: buffer.cpu() for name, buffer in _statistics(training)}
        shares = gather_to_leader(asdict(Share(position.loss_sum, position.counted, buffers)), training.process)
    if not training.process.leads:
        return None
    networks = {name: module.state_dict() for name, module in _networks(training).items()}
    if len(shares) > 1:
        for name in shares[0]["buffers"]:
            network, _, key = name.partition(".")
            networks[network][key] = _mean([share["buffers"][name] for share in shares])
    return {
        **networks,
        "optimizer": training.optimizer.state_dict(),
        "scaler": training.scaler.state_dict(),
        "position": asdict(position),
        "shares": shares,
        **training.record,
    }


def restore(training: TrainContext, content: dict[str, Any]) -> TrainState:
    """Put a checkpoint's state into `training`, in place; where it stands, for this process."""
    for name, module in _networks(training).items():
        module.load_state_dict(content[name])
    training.optimizer.load_state_dict(content["optimizer"])
    training.scaler.load_state_dict(content["scaler"])
    position, shares = TrainState(**content["position"]), content["shares"]
    if len(shares) == training.process.world:
        mine = Share(**shares[training.process.rank])
        position.loss_sum, position.counted = mine.loss_sum, mine.counted
        for name, buffer in _statistics(training):
            buffer.copy_(mine.buffers[name])
    elif shares:  # another number of processes: each goes on from the mean
        position.loss_sum = sum(share["loss_sum"] for share in shares) / len(shares)
        position.counted = sum(share["counted"] for share in shares) / len(shares)
    return position


def _networks(training: TrainContext) -> dict[str, nn.Module]:
    """The networks of a run by their names in a checkpoint."""
    return {"model": training.model} | ({"averaged": training.averaged.module} if training.averaged else {})


def _statistics(training: TrainContext) -> list[tuple[str, torch.Tensor]]:
    return [
        (f"{network}.{name}", tensor)
        for network, module in _networks(training).items()
        for name, tensor in _saved_buffers(module)
        if tensor.is_floating_point()
    ]


def _saved_buffers(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    saved = module.state_dict()
    return [(name, buffer) for name, buffer in module.named_buffers() if name in saved]


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).mean(0)
