"""Top-1 and top-5 error by integer counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnbench.evaluation.statistics import TOP


@dataclass(frozen=True)
class Counts:
    """How many of `n` images had their class outside the first one, and the first five, of the network's order."""

    wrong1: int
    wrong5: int
    n: int

    @property
    def top1_error(self) -> float:
        """Percent."""
        return 100 * self.wrong1 / self.n

    @property
    def top5_error(self) -> float:
        """Percent."""
        return 100 * self.wrong5 / self.n


def rank_of_target(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How many classes stand before the true one: int64 (N,), 0 if the network's first choice is right.

    logits (N, classes), any float; target int64 (N,). Of equal logits the lower class number stands first. A row with
    a value that is not a number counts as wrong at every k.
    """
    broken = target < 0  # an image that could not be decoded
    target = target.clamp(min=0)
    own = logits.gather(1, target[:, None])
    classes = torch.arange(logits.shape[1], device=logits.device)
    before = (logits > own) | ((logits == own) & (classes < target[:, None]))
    wrong = max(logits.shape[1], TOP[-1])  # at every k, also where there are fewer classes than that
    return torch.where(logits.isnan().any(1) | broken, wrong, before.sum(1))


def count_wrong(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """int64 (3,): images wrong at top 1, images wrong at top 5, images; on the device of `logits`, without a sync.

    With fewer than six classes no image with real numbers can be wrong at top 5.
    """
    rank = rank_of_target(logits, target)
    return torch.stack([*((rank >= k).sum() for k in TOP), torch.full_like(rank[:1], len(rank))[0]])
