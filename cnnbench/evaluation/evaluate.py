"""Exact evaluation: every image once, integers added up over all processes at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from cnnbench.bars import tqdm
from cnnbench.data.loader import BROKEN, Loader
from cnnbench.data.normalise import Normalise, on_device
from cnnbench.distributed import Process, largest_over_group, sum_over_group
from cnnbench.evaluation.metrics import Counts, wrong_counts
from cnnbench.precision import Precision


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Loader,
    normalise: Normalise,
    precision: Precision,
    process: Process,
    before_batch: Callable[[], None] = lambda: None,
) -> tuple[Counts, float]:
    """Counts over the images of all processes, and their mean cross-entropy (natural log, no smoothing).

    An image that cannot be decoded counts as wrong, not in the mean, and is named.

    `model` maps float (N, C, H, W) to logits (N, classes). It is put into evaluation mode and left there. Processes
    may have different numbers of batches: their counts meet only at the end. `before_batch` is called equally often on
    all of them, so that it may ask the others; what it raises ends the evaluation. The leader shows a bar.
    """
    model.eval()
    counts = torch.zeros(3, dtype=torch.int64, device=normalise.device)
    loss = torch.zeros((), dtype=torch.float64, device=normalise.device)
    bar = tqdm(
        loader, "evaluation", len(loader.order), leave=False, unit="batch", disable=None if process.leads else True
    )
    idle = largest_over_group(len(loader.order), process, normalise.device) - len(loader.order)
    for batch in on_device(bar, normalise.device):
        before_batch()
        with precision.autocast():
            logits = model(normalise(batch)).float()
        counts += wrong_counts(logits, batch.labels)
        loss += F.cross_entropy(logits, batch.labels, reduction="sum", ignore_index=BROKEN).double()
    for _ in range(idle):
        before_batch()
    for reason in loader.broken.values():
        print(f"counted as wrong: {reason}", file=sys.stderr)
    wrong1, wrong5, n = sum_over_group(counts, process).tolist()
    broken = sum_over_group(torch.tensor(len(loader.broken), device=normalise.device), process).item()
    return Counts(wrong1, wrong5, n), sum_over_group(loss, process).item() / max(1, n - broken)
