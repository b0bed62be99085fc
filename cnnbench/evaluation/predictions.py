"""The predictions for every image, and what follows from them: counts, confusion, the most confident mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from cnnbench.evaluation.counts import TOP, Counts, rank_of_target
from cnnbench.runtime.devices import exact
from cnnbench.runtime.distributed import Process, gather_to_leader


@dataclass(frozen=True)
class Predictions:
    """Row i is image `index[i]` of the split, int64 (n,). `rank` int64 (n,): classes before the best right answer.
    `first` int64 (n, k) and `probability` float32 (n, k): the first k classes, k = 5 or all. `loss` float64 (n,): -ln p
    of the image's class. `broken` bool (n,): not decoded, so wrong; the other fields mean nothing there."""

    index: np.ndarray
    rank: np.ndarray
    first: np.ndarray
    probability: np.ndarray
    loss: np.ndarray
    broken: np.ndarray

    def counts(self) -> Counts:
        """How many of the images are wrong at top 1 and at top 5."""
        wrong1, wrong5 = (int((self.rank >= k).sum()) for k in TOP)
        return Counts(wrong1, wrong5, len(self.rank))


def make_predictions(logits: torch.Tensor, broken: torch.Tensor, index: list[int], targets: np.ndarray) -> Predictions:
    """logits (n, classes), any float; broken bool (n,); `targets` int64 (n, answers): the right answers, the image's
    class first. Of equal logits the lower class number stands first."""
    answers = torch.from_numpy(targets).to(logits.device)
    ranks = [rank_of_target(logits, answer.masked_fill(broken, -1)) for answer in answers.unbind(1)]
    order = logits.argsort(dim=1, descending=True, stable=True)[:, : max(TOP)]
    probability = logits.softmax(1).gather(1, order)
    loss = F.cross_entropy(exact(logits), answers[:, 0], reduction="none")
    rank = torch.stack(ranks).amin(0)
    values = (rank, order, probability.float(), loss, broken)
    return Predictions(np.array(index, np.int64), *(value.cpu().numpy() for value in values))


def gather(own: Predictions, process: Process) -> Predictions | None:
    """The predictions of all processes in the order of the split, on rank 0; elsewhere None."""
    parts = gather_to_leader(vars(own), process)
    if not process.leads:
        return None
    whole = {name: np.concatenate([part[name] for part in parts]) for name in vars(own)}
    order = np.argsort(whole["index"])
    return Predictions(**{name: values[order] for name, values in whole.items()})


def confusion(predictions: Predictions, labels: np.ndarray, classes: int) -> np.ndarray:
    """How many images of class i (row) were predicted as j (column): int64 (classes, classes); broken images are in no
    column."""
    seen = ~predictions.broken
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels[seen], predictions.first[seen, 0]), 1)
    return matrix


def most_confident_mistakes(predictions: Predictions, most: int) -> np.ndarray:
    """Rows of at most `most` images that are wrong at top 1, the highest probability first, then by number."""
    wrong = np.flatnonzero((predictions.rank > 0) & ~predictions.broken)
    return wrong[np.argsort(-predictions.probability[wrong, 0], kind="stable")][:most]
