"""torch.nn.SyncBatchNorm on CPUs: its kernels, which torch has for GPUs alone, by the formulas, in a forked process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules._functions import SyncBatchNorm as Function

Tensor = torch.Tensor


def stats(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Mean, and one over the deviation, of each channel."""
    return x.mean((0, 2, 3)), (x.var((0, 2, 3), unbiased=False) + eps).rsqrt()


def gather(*given: Any) -> tuple[Tensor, Tensor]:
    """Those of all processes from those of each; `running_mean` and `running_var` move."""
    _, means, inverses, running_mean, running_var, momentum, eps, counts = given
    weights = (counts / counts.sum()).view(-1, 1)
    mean = (means * weights).sum(0)
    variance = ((inverses.pow(-2) - eps + (means - mean) ** 2) * weights).sum(0)
    unbiased = variance * counts.sum() / (counts.sum() - 1)
    running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
    running_var.mul_(1 - momentum).add_(unbiased, alpha=momentum)
    return mean, (variance + eps).rsqrt()


def elements(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, inverse: Tensor, _: float) -> Tensor:
    return (x - _wide(mean)) * _wide(inverse * weight) + _wide(bias)


def reduce(gradient: Tensor, x: Tensor, mean: Tensor, inverse: Tensor, *_: Any) -> tuple[Tensor, ...]:
    """Sums of the gradient, and of it times the distance from the mean; gradients of weight and bias."""
    total, by_distance = gradient.sum((0, 2, 3)), (gradient * (x - _wide(mean))).sum((0, 2, 3))
    return total, by_distance, by_distance * inverse, total


def backward(*given: Any) -> Tensor:
    """The gradient of the input, from the sums over all processes."""
    gradient, x, mean, inverse, weight, total, by_distance, counts = given
    images = counts.sum()
    correction = _wide(total / images) + (x - _wide(mean)) * _wide(inverse**2 * by_distance / images)
    return (gradient - correction) * _wide(inverse * weight)


KERNELS = {
    "batch_norm_stats": stats,
    "batch_norm_gather_stats_with_counts": gather,
    "batch_norm_elemt": elements,
    "batch_norm_backward_reduce": reduce,
    "batch_norm_backward_elemt": backward,
}


def _wide(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _forward(norm: nn.SyncBatchNorm, x: Tensor) -> Tensor:
    """As torch's, without its look at the kind of device."""
    norm.num_batches_tracked.add_(1)
    group = dist.group.WORLD
    given = x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps, norm.momentum
    return Function.apply(*given, group, dist.get_world_size())


@contextmanager
def sync_norm_on_cpu() -> Iterator[None]:
    """Within this block SyncBatchNorm of four-dimensional images trains on CPUs."""
    refuses = "_passing_sync_batchnorm_handle"  # of DistributedDataParallel, which wants GPUs
    with (
        mock.patch.multiple(torch, **KERNELS),
        mock.patch.object(nn.SyncBatchNorm, "forward", _forward),
        mock.patch.object(nn.parallel.DistributedDataParallel, refuses),
    ):
        yield
