"""Memory of a training step and of an evaluation, counted without any: the loop's own step on tensors without values.

torch's fake tensors know shape, type and storage. Each operator's result is counted where its storage is made, and
again where it is given back, as an allocator would: weights, gradients, the optimiser's state, averages, images, what
is kept for the backward pass, and scratch that an operator hands out. Augmentation on the device is done before the
activations of the next step are there, and does not raise the peak. Not counted: what a kernel takes within itself
(cuDNN's workspaces), the device's own context, and what an allocator cannot reuse (fragments).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnbench.config.average import AverageConfig
from cnnbench.config.image_size import input_size, training_image_sizes
from cnnbench.config.train import TrainConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.backends import CPU
from cnnbench.runtime.precision import Precision
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import without_loaders
from cnnbench.training.explained import explained
from cnnbench.training.monitor import BadStep, NonFiniteMonitor
from cnnbench.training.train_step import train_step

GRAIN = 512  # bytes: CUDA's caching allocator hands out multiples of it


@dataclass(frozen=True)
class StepMemory:
    """Bytes on one process's device. `weights` with buffers; `average`: the averaged copy; `step`: the most that live
    at a time in a training step, all of these included; `evaluation`: the same of a batch of evaluation."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    step: int
    evaluation: int

    @property
    def peak(self) -> int:
        return max(self.step, self.evaluation)


def step_memory(config: TrainConfig, network: nn.Module, classes: int, world: int, precision: str) -> StepMemory:
    """Memory of the run that `config`, with its batch chosen, describes, for each of `world` processes.

    `network`: built for it, on any device, and left without values; `precision`: a key of runtime/precision.py's
    DTYPES. Counted as torch's operators for a CPU allocate, not compiled; activations at the largest training size.
    """
    alone = AverageConfig(kind="none")  # fake tensors cannot be copied deeply: the average is as large as the network
    plain = replace(config, precision="float32", compile=False, on_nonfinite="stop", average=alone)
    with FakeTensorMode(), _Count() as count:
        _make_fake(network)
        weights = count.live
        context = build_context(plain, network, without_loaders(classes, config.chosen_batch), Path())
        context.monitor, context.precision = _NeverAsked(context.device), Precision(precision, CPU)
        average = 0 if config.average.kind == "none" else weights
        with explained(context, world):
            _train(context, world)
        gradients = sum(_bytes(each) for each in network.parameters() if each.requires_grad)
        state = [each for values in context.optimizer.state.values() for each in tree_leaves(values)]
        optimizer = sum(_bytes(each) for each in state if isinstance(each, torch.Tensor))
        step = count.peak
        count.peak = 0
        _evaluate(context)
        return StepMemory(weights, gradients, optimizer, average, step + average, count.peak + average)


def _train(context: TrainContext, world: int) -> None:
    config, size = context.config, max(training_image_sizes(context.config))
    images = config.images_at_once(world)
    batches = DevicePrefetcher(_batches(config, images, size), context.normalise)
    trained = [parameter for parameter in context.model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    context.optimizer.step()  # makes its state
    if world == 1:  # else DistributedDataParallel keeps them, in its buckets
        context.optimizer.zero_grad()
    context.model.train()
    train_step(context, batches, 0, 0.0)


def _evaluate(context: TrainContext) -> None:
    config = context.config
    batches = DevicePrefetcher(_batches(config, config.eval_batch, input_size(config)), context.normalise)
    context.model.eval()
    images, _ = next(batches)
    with torch.no_grad(), context.precision.autocast():
        context.model(images)


def _batches(config: TrainConfig, images: int, size: int) -> Iterator[Batch]:
    while True:
        pixels = torch.empty(images, size, size, config.arch.in_channels, dtype=torch.uint8)
        yield Batch(pixels, torch.zeros(images, dtype=torch.int64), torch.empty(images, 0))


def _make_fake(network: nn.Module) -> None:
    """Give `network` tensors without values on a pretended CPU, of the same shapes and strides."""
    made: dict[torch.Tensor, torch.Tensor] = {}  # a tensor that two modules share stays one
    for module in network.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = made.setdefault(tensor, _fake_of(tensor))  # type: ignore[assignment]


def _fake_of(tensor: torch.Tensor) -> torch.Tensor:
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


class _NeverAsked(NonFiniteMonitor):
    """There are no values to be asked for."""

    def ask(self) -> BadStep | None:
        self.steps.clear()
        return None


class _Count(TorchDispatchMode):
    """Counts bytes of storages that live, and the most that did at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:  # an optimiser asks for its number of steps
            return 1 if not args[0].is_floating_point() else 1.0
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, torch.Tensor):
                self._see(result.untyped_storage())
        return results

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            size = _in_grains(storage.nbytes())
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _bytes(tensor: torch.Tensor) -> int:
    return _in_grains(tensor.nbytes)


def _in_grains(size: int) -> int:
    return -(-size // GRAIN) * GRAIN
