"""Averages of the weights over the steps: exponential (EMA) and plain (Polyak, Juditsky 1992)."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn

from cnnbench.config.average import AverageConfig


class AveragedWeights:
    """A copy of a network, in `module`, whose weights are the average of that network's over the steps.

    Buffers in floating point (batch normalisation's running mean and variance) are averaged by the same rule, as in the
    released code of the Inception papers; integers are copied. The average is linear in them, so that in a group of
    processes the mean over the group may be taken of the averaged buffers, before they are used. Parameters are the
    same on every process, and so is their average. With `precise_bn` buffers are copied, and what evaluation takes in
    their place is computed before each: precise_norms.py.
    """

    def __init__(self, model: nn.Module, config: AverageConfig) -> None:
        """Starts as a copy of `model`, to which it stays bound."""
        self.config = config
        self.module = copy.deepcopy(model).eval().requires_grad_(False)
        own, live = [*self.module.parameters()], [*model.parameters()]
        buffers = [*zip(self.module.buffers(), model.buffers(), strict=True)]
        copies = [pair for pair in buffers if config.precise_bn is not None or not pair[0].is_floating_point()]
        averaged = [pair for pair in buffers if config.precise_bn is None and pair[0].is_floating_point()]
        self.averaged = [*own, *(mine for mine, _ in averaged)]
        self.live = [*live, *(its for _, its in averaged)]
        self.copied = copies

    @torch.no_grad()
    def update(self, step: int, steps_per_epoch: int, held: torch.Tensor | None = None) -> None:
        """Take in the weights after optimiser step `step`, counted from 0 over the whole run, if it is one to take.
        `held`: a number on the device that is 1 where the weights, which are finite, are not to be taken in, else 0."""
        if (step + 1) % self.config.every:
            return
        share = share_of_new(self.config, step, steps_per_epoch)
        if share == 1:
            torch._foreach_copy_(self.averaged, self.live)
        elif held is None:
            torch._foreach_lerp_(self.averaged, self.live, share)
        else:
            changes = torch._foreach_sub(self.live, self.averaged)
            torch._foreach_mul_(changes, share * (1 - held))
            torch._foreach_add_(self.averaged, changes)
        for own, live in self.copied:
            own.copy_(live)


def of_run(config: AverageConfig, batch: int, epochs: int) -> AverageConfig:
    """`config` with the decay of one update in a run of `epochs` epochs by a global batch of `batch` images. Stated for
    a run, 1 - decay is taken batch x every / epochs times, and at most 1 (torchvision, references/classification/
    train.py, "adjust": the number of updates without the number of images, which they take as given)."""
    if config.kind != "ema" or config.follows == "step":
        return config
    taken = min(1.0, (1 - config.decay) * batch * config.every / epochs)
    return replace(config, decay=1 - taken, follows="step")


def share_of_new(config: AverageConfig, step: int, steps_per_epoch: int) -> float:
    """Share of the weights after optimiser step `step` in the average with them, in (0, 1]: a function of the step, so
    that a run continued needs nothing but the average. Before `start_epoch` the average is the weights themselves."""
    before = round(config.start_epoch * steps_per_epoch)
    n = (step + 1) // config.every - before // config.every  # updates since then, this one included
    if n <= 0:
        return 1.0
    if config.kind == "polyak":
        return 1 / n
    # tf.train.ExponentialMovingAverage with `num_updates`, as in the released code of the Inception papers
    return 1 - (min(config.decay, (1 + n) / (10 + n)) if config.warmup else config.decay)
