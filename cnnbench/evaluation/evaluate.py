"""Exact evaluation: every image once, integers added up over all processes at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional as F

from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import BROKEN_LABEL, Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.evaluation.counts import Counts, count_wrong
from cnnbench.runtime.devices import exact, exact_place
from cnnbench.runtime.distributed import Process, largest_over_group, sum_over_group
from cnnbench.runtime.precision import Precision
from cnnbench.runtime.progress import tqdm


class EvaluationBatches(Protocol):
    """What evaluation asks of a loader."""

    @property
    def order(self) -> Sequence[list[SampleKey]]:
        """Which images are in each batch."""

    @property
    def broken(self) -> dict[int, str]:
        """Number of an image that could not be decoded -> reason, of those met so far."""

    def __iter__(self) -> Iterator[Batch]: ...


@torch.inference_mode()
def evaluate(
    models: Sequence[nn.Module],
    loader: EvaluationBatches,
    normalise: Normalise,
    precision: Precision,
    process: Process,
    before_batch: Callable[[], None] = lambda: None,
) -> list[tuple[Counts, float]]:
    """For each of `models` counts over the images of all processes, and their mean cross-entropy (natural log, no
    smoothing). All see the same batches: each image is made once.

    An image that cannot be decoded counts as wrong, not in the mean, and is named.

    A model maps float (N, C, H, W) to logits (N, classes). It is put into evaluation mode and left there. Processes
    may have different numbers of batches: their counts meet only at the end. `before_batch` is called equally often on
    all of them, so that it may ask the others; what it raises ends the evaluation. The leader shows a bar.
    """
    counts = torch.zeros(len(models), 3, dtype=torch.int64, device=normalise.device)
    loss = torch.zeros(len(models), dtype=torch.float64, device=exact_place(normalise.device))
    idle = largest_over_group(len(loader.order), process, normalise.device) - len(loader.order)
    for outputs, labels in _outputs(models, loader, normalise, precision, process, before_batch):
        for number, logits in enumerate(outputs):
            counts[number] += count_wrong(logits, labels)
            loss[number] += exact(F.cross_entropy(logits, labels, reduction="sum", ignore_index=BROKEN_LABEL))
    for _ in range(idle):
        before_batch()
    warn_of_broken(loader)
    broken = sum_over_group(torch.tensor(len(loader.broken), device=normalise.device), process).item()
    totals = zip(sum_over_group(counts, process).tolist(), sum_over_group(loss, process).tolist(), strict=True)
    return [(Counts(*three), total / max(1, three[-1] - broken)) for three, total in totals]


@torch.inference_mode()
def predict(
    model: nn.Module,
    loader: EvaluationBatches,
    normalise: Normalise,
    precision: Precision,
    process: Process,
    classes: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits, float32 (n, classes), of this process's images in the order of `loader`, and which of them are
    broken, bool (n,); on the device. `model` gives one row of logits for each image, whatever its views."""
    logits: list[torch.Tensor] = []
    broken = [torch.empty(0, dtype=torch.bool, device=normalise.device)]
    for (rows,), labels in _outputs([model], loader, normalise, precision, process):
        logits.append(rows)
        broken.append(labels == BROKEN_LABEL)
    found = torch.cat(logits) if logits else torch.empty(0, classes, device=normalise.device)
    return found, torch.cat(broken)


def _outputs(
    models: Sequence[nn.Module],
    loader: EvaluationBatches,
    normalise: Normalise,
    precision: Precision,
    process: Process,
    before_batch: Callable[[], None] = lambda: None,
) -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
    """Of each batch the logits of each of `models`, float32 (N, classes), and the labels, int64 (N,)."""
    for model in models:
        model.eval()
    bar = tqdm(
        loader, "evaluation", len(loader.order), leave=False, unit="batch", disable=None if process.leads else True
    )
    for images, labels in DevicePrefetcher(bar, normalise):
        before_batch()
        with precision.autocast():
            logits = [model(images).float() for model in models]
        yield logits, labels


def warn_of_broken(loader: EvaluationBatches) -> None:
    """Name the images that could not be decoded."""
    for reason in loader.broken.values():
        print(f"counted as wrong: {reason}", file=sys.stderr)
