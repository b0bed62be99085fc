"""The training loss: cross-entropy or binary cross-entropy, smoothed, over all heads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.implementations import Implementations


def training_loss(
    outputs: torch.Tensor | tuple[torch.Tensor, ...], target: torch.Tensor, config: TrainConfig, model: nn.Module
) -> torch.Tensor:
    """The configured loss, mean over the batch: a scalar (natural log), in float32.

    outputs: logits (N, classes), or a tuple of them from the main head and the auxiliary heads, which are weighted by
    the network's own `aux_weights`. target: int64 (N,), or shares of the classes, float (N, classes), that sum to 1.
    With smoothing e the target is (1 - e) target + e / classes (Szegedy et al. 2016, section 7), for every head.
    """
    main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = LOSS_FUNCTIONS[config.loss](main.float(), target, config)
    for weight, head in zip(getattr(model, "aux_weights", ()), auxiliary, strict=True):
        loss = loss + weight * LOSS_FUNCTIONS[config.loss](head.float(), target, config)
    return loss


def wrong_answers(outputs: torch.Tensor | tuple[torch.Tensor, ...], target: torch.Tensor) -> torch.Tensor:
    """How many images have another first choice of the main head than their class: a scalar, float32, on the device.

    Arguments as of `training_loss`; of a mixed image the class is that of its larger share. Ties as in evaluation: of
    equal logits the first counts. Logits that are not numbers, with which a step has no effect, may count as either.
    """
    main = outputs[0] if isinstance(outputs, tuple) else outputs
    labels = target if target.dim() == 1 else target.argmax(1)
    return (main.detach().max(1).indices != labels).sum().float()


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor, config: TrainConfig) -> torch.Tensor:
    return F.cross_entropy(logits, target, label_smoothing=config.label_smoothing)


def _binary_cross_entropy(logits: torch.Tensor, target: torch.Tensor, config: TrainConfig) -> torch.Tensor:
    """Each class a question of its own (Wightman et al. 2021, ResNet strikes back, section 3.1): the mean over images
    AND classes, as in its code: gradients are smaller by the number of classes than those of a sum over classes. The
    threshold comes after the smoothing, as there, which then only moves the share that counts."""
    classes = logits.shape[1]
    shares = F.one_hot(target, classes).float() if target.dim() == 1 else target.float()
    shares = (1 - config.label_smoothing) * shares + config.label_smoothing / classes
    if config.bce_threshold is not None:
        shares = (shares > config.bce_threshold).float()
    return F.binary_cross_entropy_with_logits(logits, shares)


LOSS_FUNCTIONS: Implementations[Callable[[torch.Tensor, torch.Tensor, TrainConfig], torch.Tensor]] = Implementations(
    "LOSS_FUNCTIONS in cnnbench/training/losses.py",
    {
        "cross_entropy": _cross_entropy,
        "bce": _binary_cross_entropy,
    },
)
