"""From a unit back to the pixels by the network's transposed filters.

Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, section 2.1 and Figure 2.

Going down through a network step by step is what a backward pass does. The deconvnet differs from it in ReLU
(Springenberg et al. 2015, Figure 1) and in normalisation alone:

| on the way up       | backward pass                           | deconvnet                                            |
|---------------------|-----------------------------------------|------------------------------------------------------|
| convolution         | transposed filters                      | the same                                             |
| max pooling         | to the place of the maximum, its switch | the same; where windows overlap, the sum             |
| ReLU                | where what came up was positive         | where what goes down is positive                     |
| local response norm | its derivative                          | unchanged: no contrast normalisation on the way down |
| anything else       | its derivative                          | the same: sums, concatenations, average pooling, the |
|                     |                                         | scale of batch normalisation, other nonlinearities   |
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from cnnbench.analysis.look.network import Network
from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import Point

RELUS = (functional.relu, functional.relu_, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_)


class _Rectified(torch.autograd.Function):
    """ReLU on the way up, and on the way down."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *signals: torch.Tensor) -> torch.Tensor:
        return signals[0].clamp(min=0)


class _Unnormalised(torch.autograd.Function):
    """`y`, normalised from `x`, on the way up; nothing on the way down."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return y

    @staticmethod
    def backward(ctx: Any, *signals: torch.Tensor) -> tuple[torch.Tensor, None]:
        return signals[0], None


class _Deconvnet(TorchFunctionMode):
    """While active, a backward pass is that of the deconvnet."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RELUS:
            return _Rectified.apply(args[0])
        result = func(*args, **(kwargs or {}))
        if func is functional.local_response_norm:
            return _Unnormalised.apply(args[0], result.detach())
        return result


def deconvolve(
    network: Network, images: torch.Tensor, point: Point, unit: int, places: list[tuple[int, int]] | None = None
) -> torch.Tensor:
    """What the channel `unit` at `point` answers to in each of `images` (N, C, H, W): the same shape, in pixels.

    All activations there but one are set to zero: that at `places[n]`, (row, column) of the map of image n (None: where
    the map is strongest). It is passed down with its value, so that strengths can be compared.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        with _Deconvnet(), capture(network.model, {"layer": point}) as run:
            values = run(images)["layer"]
        answers = values[:, unit].reshape(len(images), -1)
        if places is None:
            chosen = answers.argmax(1)
        else:
            chosen = torch.tensor([row * values.shape[3] + column for row, column in places], device=images.device)
        picked = answers.gather(1, chosen[:, None])
        (pixels,) = torch.autograd.grad(picked, images, picked.detach())
    return pixels
