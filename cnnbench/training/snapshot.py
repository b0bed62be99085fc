"""The state of a run as a checkpoint's content, and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from cnnbench.runtime.distributed import gather_to_leader
from cnnbench.training.context import TrainContext
from cnnbench.training.state import TrainState


@dataclass
class ProcessState:
    """What one process knows alone in the middle of an epoch."""

    loss_sum: float
    counted: float
    buffers: dict[str, torch.Tensor]  # batch normalisation's statistics; kept are those that differ
    wrong: int = 0  # as TrainState has it


def content(context: TrainContext, state: TrainState) -> dict[str, Any] | None:
    """What a checkpoint holds, on rank 0; None elsewhere. Called on every process, and changes nothing: buffers that
    differ between processes are averaged in what is saved, and kept beside it for the same number of processes."""
    shares = []
    if state.step:  # else all processes are alike
        buffers = {name: buffer.cpu() for name, buffer in _statistics(context)}
        own = ProcessState(state.loss_sum, state.counted, buffers, state.wrong)
        shares = gather_to_leader(asdict(own), context.process)
    if not context.process.leads:
        return None
    networks = {name: module.state_dict() for name, module in _networks(context).items()}
    for name in [*shares[0]["buffers"]] if shares else []:
        network, _, key = name.partition(".")
        if not _are_alike(shares, name):
            networks[network][key] = mean_of_shares(shares, name)
            continue
        for share in shares:  # one process, frozen, or synchronised: to the bit, which a mean might not be
            del share["buffers"][name]
    return {
        **networks,
        "optimizer": context.optimizer.state_dict(),
        "scaler": context.scaler.state_dict(),
        "state": asdict(state),
        "shares": shares,
        **_facts(context),
    }


def _facts(context: TrainContext) -> dict[str, Any]:
    """What a checkpoint says of the network that it holds, in plain values."""
    config, data = context.config, context.data
    return {
        "arch": config.arch.name,
        "classes": list(data.classes),
        "images": data.images,
        "data": dict(data.about),
        "config": asdict(config),
        "config_text": context.config_text,
        "starts": context.starts,
    }


def restore(context: TrainContext, content: dict[str, Any]) -> TrainState:
    """Put a checkpoint's state into `context`, in place; the state that it was saved in, for this process."""
    for name, module in _networks(context).items():
        module.load_state_dict(content[name])
    context.optimizer.load_state_dict(content["optimizer"])
    context.scaler.load_state_dict(content["scaler"])
    state, shares = TrainState(**content["state"]), content["shares"]
    if len(shares) == context.process.world:
        mine = ProcessState(**shares[context.process.rank])
        state.loss_sum, state.counted, state.wrong = mine.loss_sum, mine.counted, mine.wrong
        for name, buffer in _statistics(context):
            if name in mine.buffers:
                buffer.copy_(mine.buffers[name])
    elif shares:  # another number of processes: each goes on from the mean
        state.loss_sum = sum(share["loss_sum"] for share in shares) / len(shares)
        state.counted = sum(share["counted"] for share in shares) / len(shares)
        # a count is not divided: the leader takes it whole
        state.wrong = sum(share.get("wrong", 0) for share in shares) if context.process.leads else 0
    return state


def _networks(context: TrainContext) -> dict[str, nn.Module]:
    """The networks of a run by their names in a checkpoint."""
    return {"model": context.model} | ({"averaged": context.averaged.module} if context.averaged else {})


def _statistics(context: TrainContext) -> list[tuple[str, torch.Tensor]]:
    return [
        (f"{network}.{name}", tensor)
        for network, module in _networks(context).items()
        for name, tensor in _saved_buffers(module)
        if tensor.is_floating_point()
    ]


def _saved_buffers(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    saved = module.state_dict()
    return [(name, buffer) for name, buffer in module.named_buffers() if name in saved]


def _are_alike(shares: list[dict[str, Any]], name: str) -> bool:
    """Whether a buffer is the same of all processes, as `content` gathers them."""
    first = shares[0]["buffers"][name]
    return all(torch.equal(share["buffers"][name], first) for share in shares[1:])


def mean_of_shares(shares: list[dict[str, Any]], name: str) -> torch.Tensor:
    """Of a buffer of all processes, as `content` gathers them."""
    return torch.stack([share["buffers"][name] for share in shares]).mean(0)
