"""Batch normalisation as a config sets it, whatever the network: its momentum, epsilon and scales, and ghost batches.

| trained by                  | momentum | epsilon | scale | source                                          |
|-----------------------------|----------|---------|-------|-------------------------------------------------|
| torch, fb.resnet.torch      | 0.1      | 1e-5    | yes   | torch.nn.BatchNorm2d, Torch's defaults          |
| TensorFlow slim's Inceptions| 0.0003   | 1e-3    | no    | inception_model.py, decay 0.9997; slim/ops.py   |
| Keras's networks            | 0.01     | 1e-3    | yes   | Keras's BatchNormalization, momentum 0.99       |
| He et al.'s ResNets         | -        | 1e-5    | yes   | no running mean: training/precise_norms.py      |

Momentum is torch's: the share that a batch has in the running mean and variance after it; TensorFlow and Keras state
what stays, one less it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from cnnbench.config.arch import ArchConfig


def batch_norms(model: nn.Module) -> dict[str, _BatchNorm]:
    """The batch normalisations of `model` by their names, in its order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}


def apply_norm_keys(model: nn.Module, arch: ArchConfig) -> None:
    """Set, in place, what `arch` says of batch normalisation. Raises ValueError, in one sentence, if the network has
    none, or if scales that begin at 0 would stay there."""
    norms = batch_norms(model).values()
    given = {"bn_momentum": arch.bn_momentum is not None, "bn_epsilon": arch.bn_epsilon is not None}
    for name, acts in {**given, "bn_scale": not arch.bn_scale}.items():
        if acts and not norms:
            raise ValueError(f"arch.{name} acts on batch normalisation, and {arch.name} has none: leave it out")
    for norm in norms:
        norm.momentum = norm.momentum if arch.bn_momentum is None else arch.bn_momentum
        norm.eps = norm.eps if arch.bn_epsilon is None else arch.bn_epsilon
        if not arch.bn_scale:
            _fix_scale(norm, arch.name)


def _fix_scale(norm: _BatchNorm, network: str) -> None:
    if not norm.weight.is_meta and not norm.weight.any():
        raise ValueError(f"arch.bn_scale=false would leave scales of {network} at 0: set arch.zero_init=false")
    norm.weight.requires_grad_(False)


def about_norms(model: nn.Module) -> str | None:
    """The batch normalisations of `model` in a line; None without any."""
    norms = [*batch_norms(model).values()]
    if not norms:
        return None
    momenta, epsilons = ({f"{getattr(norm, name):g}" for norm in norms} for name in ("momentum", "eps"))
    scale = "" if any(norm.weight.requires_grad for norm in norms) else ", without scale"
    return f"{len(norms)} of momentum {' and '.join(sorted(momenta))}, epsilon {' and '.join(sorted(epsilons))}{scale}"


class GhostBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that in training takes its mean and variance over groups of at most `images` images, as
    even as they come (ghost batches: Hoffer et al. 2017, Train longer, generalize better, Algorithm 1).

    The groups' means and (unbiased) variances are averaged into one update of the running ones: what each of several
    devices with a group of its own would have, averaged over the devices.
    """

    images = 0

    @classmethod
    def of(cls, norm: nn.BatchNorm2d, images: int) -> GhostBatchNorm2d:
        """`norm` with its own tensors, by groups of `images`."""
        new = cls(norm.num_features, norm.eps, norm.momentum, device="meta")
        new.weight, new.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            setattr(new, name, buffer)
        new.images = images
        return new.train(norm.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or len(x) <= self.images:
            return super().forward(x)
        assert self.running_mean is not None  # each keeps its running mean and variance, and a momentum
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        parts = x.tensor_split(-(-len(x) // self.images))
        means, variances = self.running_mean.new_zeros(2, len(parts), self.num_features).unbind()
        outputs = [
            functional.batch_norm(part, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
            for part, mean, variance in zip(parts, means, variances, strict=True)
        ]
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(means.mean(0), self.momentum)
            self.running_var.lerp_(variances.mean(0), self.momentum)
        return torch.cat(outputs)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, images={self.images}"


def with_ghost_batches(model: nn.Module, images: int) -> None:
    """In place: batch normalisation over groups of at most `images` images. The state dict has the same names."""
    for parent in [*model.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, GhostBatchNorm2d.of(child, images))
