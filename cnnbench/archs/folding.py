"""Batch normalisation folded into the convolution before it: one convolution with the same outputs in inference."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cnnbench.archs.norms import batch_norms


def fold_batch_norm(network: nn.Module, image: torch.Tensor) -> tuple[nn.Module, int, int]:
    """A copy of `network` in evaluation mode in which each batch normalisation that reads a convolution is folded into
    it; how many were folded, and how many are left: those that read something else, as a sum or a concatenation.

    w' = w g / sqrt(v + e), b' = (b - m) g / sqrt(v + e) + shift, of running mean m and variance v (Ioffe and Szegedy
    2015, equation 11). `image`, (1, C, H, W), shows what reads what. Raises ValueError without batch normalisation.
    """
    if not batch_norms(network):
        raise ValueError(f"{type(network).__name__} has no batch normalisation to fold")
    folded = copy.deepcopy(network).eval()
    pairs = _pairs(folded, image)
    modules = dict(folded.named_modules())
    for norm, conv in pairs.items():
        folded.set_submodule(conv, fuse_conv_bn_eval(modules[conv], modules[norm]))
        folded.set_submodule(norm, nn.Identity())
    return folded, len(pairs), len(batch_norms(folded))


def _pairs(network: nn.Module, image: torch.Tensor) -> dict[str, str]:
    """The name of each batch normalisation that reads a convolution's output -> of that convolution."""
    names = {module: name for name, module in network.named_modules()}
    made: dict[int, tuple[torch.Tensor, nn.Module]] = {}  # kept, so that no later tensor has the same identity
    found: dict[str, str] = {}

    def after(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = output, module
        elif id(inputs[0]) in made:
            found[names[module]] = names[made[id(inputs[0])][1]]

    watched = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(after) for module in watched]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found
