"""What trains a network of a few weights, for single steps and questions of the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnbench.config.arch import ArchConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.distributed import Process
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData


class Drawing(nn.Module):
    """A network that keeps a number of the generator at each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.drawn = nn.Linear(2, 3), []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.drawn.append(torch.rand(()).item())
        return self.fc(x)


def context_of(rank: int = 0, **keys: Any) -> TrainContext:
    """What trains a network of a few weights, in epochs of 100 steps."""
    arch = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.5] * 3)
    optimizer = OptimizerConfig(kind="sgd", lr=0.1)
    config = TrainConfig(recipe="x", epochs=1, batch=4, arch=arch, optimizer=optimizer, **keys)
    data = TrainData(["a", "b", "c"], 400, None, None, {})
    context = build_context(config, Drawing(), data, Path("nowhere"), Process(rank))
    context.folder = None
    return context
