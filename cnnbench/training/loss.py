"""The training loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def training_loss(
    outputs: torch.Tensor | tuple[torch.Tensor, ...], target: torch.Tensor, label_smoothing: float, model: nn.Module
) -> torch.Tensor:
    """Mean cross-entropy over the batch, a scalar (natural log), in float32.

    outputs: logits (N, classes), or a tuple of them from the main head and the auxiliary heads, which are weighted by
    the network's own `aux_weights`. target: int64 (N,). With smoothing e the target is (1 - e) onehot + e / classes
    (Szegedy et al. 2016, section 7), for every head.
    """
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    weights = (1.0, *getattr(model, "aux_weights", ()))
    losses = (F.cross_entropy(head.float(), target, label_smoothing=label_smoothing) for head in heads)
    return sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
