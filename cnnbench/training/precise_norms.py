"""Statistics of batch normalisation over many images, for weights that stay, in place of running ones.

He et al. computed them so after training (KaimingHe/deep-residual-networks, README: "strictly computed using average
(not moving average) on a sufficiently large training batch"). Averaged weights need it more: no batch has seen them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from cnnbench.archs.norms import batch_norms
from cnnbench.runtime.devices import exact, exact_place
from cnnbench.runtime.distributed import Process, sum_over_group
from cnnbench.runtime.precision import Precision

GROUP = 32  # images of a batch where the run has no bn_group: He et al.'s of one GPU (README)


class Sums:
    """Of one batch normalisation: sums over images of the means of x and of x^2, float64 (2, C)."""

    def __init__(self, norm: _BatchNorm) -> None:
        assert norm.running_mean is not None  # every network here keeps running statistics
        place = exact_place(norm.running_mean.device)
        self.values = torch.zeros(2, norm.num_features, dtype=torch.float64, device=place)

    def forward(self, norm: _BatchNorm, x: torch.Tensor) -> torch.Tensor:
        """`x` (N, C, ...) normalised by its own mean and variance, which are added; running ones stay as they are."""
        axes = [0, *range(2, x.dim())]
        variance, mean = (exact(value) for value in torch.var_mean(x.float(), axes, correction=0))
        self.values += len(x) * torch.stack([mean, variance + mean.square()])
        return functional.batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)


Statistics = list[tuple[torch.Tensor, torch.Tensor]]  # a buffer, and its new value


@torch.no_grad()
def precise_statistics(
    model: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    precision: Precision,
    process: Process,
    before_batch: Callable[[], None] = lambda: None,
    calls: int = 0,
    kept: Container[str] = (),
) -> Statistics:
    """The mean E[x] and variance E[x^2] - E[x]^2 of each batch normalisation of `model`, over the images of all
    `batches` of all processes; not yet in its buffers.

    In each batch every normalisation takes that batch's own statistics, as in training; all else is as in evaluation.
    The sums are exact to float64, so that the result depends on which images are in a batch, and not on the process
    that computes it. What evaluation does not use, auxiliary heads, is left out. `before_batch` may end it by what it
    raises; it is called `calls` times, the most batches that any process has. The normalisations named in `kept`
    keep their statistics and are computed by them. The model is left in evaluation mode.
    """
    model.eval()
    norms = {name: norm for name, norm in batch_norms(model).items() if name not in kept}
    sums = {name: Sums(norm) for name, norm in norms.items()}
    images = done = 0
    with _computed_by(norms, sums):
        for inputs, _ in batches:
            before_batch()
            with precision.autocast():
                model(inputs)
            images, done = images + len(inputs), done + 1
    for _ in range(done, calls):
        before_batch()
    device = exact_place(next(model.parameters()).device)
    count = sum_over_group(torch.tensor(float(images), dtype=torch.float64, device=device), process)
    found: Statistics = []
    for name, norm in norms.items():
        mean, square = sum_over_group(sums[name].values, process) / count
        if square.any():  # else it has seen nothing
            assert norm.running_mean is not None
            assert norm.running_var is not None
            found += [(norm.running_mean, mean), (norm.running_var, square - mean.square())]
    return found


@torch.no_grad()
def put(statistics: Statistics) -> None:
    """Write what was found into the buffers that it is for."""
    for buffer, value in statistics:
        buffer.copy_(value)


@contextmanager
def _computed_by(norms: dict[str, _BatchNorm], sums: dict[str, Sums]) -> Iterator[None]:
    """Within this block each of `norms` is computed by its `Sums`."""
    try:
        for name, norm in norms.items():
            norm.forward = partial(sums[name].forward, norm)  # type: ignore[method-assign]
        yield
    finally:
        for norm in norms.values():
            norm.__dict__.pop("forward", None)
