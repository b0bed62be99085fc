"""Which classes compete for an image: where a test set has some of the network's classes only, or several as one."""

from __future__ import annotations

import math

import numpy as np
import torch


def among_competing(logits: torch.Tensor, competing: np.ndarray | None) -> torch.Tensor:
    """logits, float (n, classes), with minus infinity for each class that takes no part (-1 in `competing`, int64
    (classes,)), and of classes that are one answer for all but the largest; as they are where `competing` is None."""
    if competing is None:
        return logits
    groups = torch.from_numpy(competing).to(logits.device)
    logits = logits.masked_fill(groups < 0, -math.inf)
    numbers, counts = np.unique(competing[competing >= 0], return_counts=True)
    for number in numbers[counts > 1]:
        members = torch.nonzero(groups == int(number))[:, 0]
        own = logits[:, members]
        best = torch.zeros_like(own, dtype=torch.bool).scatter_(1, own.argmax(1, keepdim=True), True)
        logits[:, members] = own.masked_fill(~best, -math.inf)
    return logits
