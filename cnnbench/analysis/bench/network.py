"""A network with all that a training step needs, on images that lie in the device's memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.analysis.describe.network import published_classes
from cnnbench.archs.activation_checkpointing import apply_memory
from cnnbench.archs.compiled import compiled
from cnnbench.archs.from_config import build_network
from cnnbench.config.bench import BenchConfig, bench_size
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.backends import backend_of
from cnnbench.runtime.devices import choose_device, memory_format
from cnnbench.runtime.precision import Precision, choose_precision
from cnnbench.training.losses import training_loss

LECTURE_BATCH = 16  # images in a batch of the Wide ResNet paper's table of times, which the lecture shows
BENCH_RATE = 1e-4  # so small that the weights, on labels that mean nothing, stay finite

ImageBatch = tuple[torch.Tensor, torch.Tensor]  # float32 (N, C, H, W), and labels, int64 (N,)


@dataclass(frozen=True)
class BenchNetwork:
    """A network for speed's sake: `call` is `model`, compiled where the config says so; both have the same weights."""

    model: nn.Module
    call: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: Precision
    device: torch.device
    memory_format: torch.memory_format

    def images(self, batch: int, channels: int, side: int) -> ImageBatch:
        """A batch of noise, normalised as images are, in the device's memory."""
        images = torch.randn(batch, channels, side, side, device=self.device)
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        return images.contiguous(memory_format=self.memory_format), labels

    def forward(self, images: ImageBatch) -> torch.Tensor:
        """The loss, with the graph that a backward pass needs."""
        with self.precision.autocast():
            outputs = self.call(images[0])
        return training_loss(outputs, images[1], TrainConfig(), self.model)

    def backward(self, images: ImageBatch) -> None:
        """Forward and backward, into fresh gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(self.forward(images)).backward()

    def step(self, images: ImageBatch) -> None:
        """Forward, backward and update."""
        self.backward(images)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def resident(self) -> list[torch.Tensor]:
        """The tensors that stay between two steps, but for gradients: weights, statistics, the optimiser's state."""
        state = [value for entry in self.optimizer.state.values() for value in entry.values()]
        return [*self.model.parameters(), *self.model.buffers(), *(t for t in state if isinstance(t, torch.Tensor))]


def choose(config: BenchConfig) -> tuple[torch.device, Precision]:
    """Device and arithmetic for the config. Sets torch up as `cnnbench train` does."""
    device = torch.device(choose_device(config.device))
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return device, choose_precision(config.precision, device.type)


def build_bench_network(config: BenchConfig, classes: int | None = None) -> BenchNetwork:
    """The config's network in training mode, with plain SGD with momentum. `classes`: None: those of its paper."""
    device, precision = choose(config)
    layout = memory_format(config.channels_last, device)
    classes = classes or published_classes(config.arch.name)
    model = build_network(config.arch, classes, bench_size(config)).to(device).to(memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), BENCH_RATE, momentum=0.9, fused=backend_of(device).fused or None)
    apply_memory(model, config.memory)
    call = model
    if config.compile:
        torch.compiler.reset()  # there is a limit to how often one class is compiled, and networks share theirs
        call = compiled(model, config.compile_mode)
    return BenchNetwork(model, call, optimizer, precision.scaler(), precision, device, layout)
