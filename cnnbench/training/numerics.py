"""Whether the numbers are still good: a loss or gradient that is not finite, a network that does not learn, one that
gets worse. What a step says stays on the device, which is asked only every so often."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import nn

from cnnbench.data.sampler import epoch_order, global_batch
from cnnbench.errors import UserError

EVERY = 50  # steps between two questions to the device
STUCK_AFTER = 1000  # steps after which the loss should have left that of guessing; a multiple of EVERY
STUCK_WITHIN = 0.01  # of that loss
DIVERGED = 1.5  # times the lowest loss of an epoch so far
IN_A_ROW = 20  # skipped steps after which the run stops

SHOWN = 8  # images that a message names


def poisoned(loss: torch.Tensor) -> torch.Tensor:
    """`loss`, its gradient made NaN if it is not finite: averaged over the processes, that tells all of them."""
    return loss * torch.where(torch.isfinite(loss.detach()), 1.0, math.nan)


def gradient_norm(model: nn.Module) -> torch.Tensor:
    """Euclidean norm of all gradients, a scalar on their device."""
    return nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])


class Watch:
    """The first step that was not finite, kept on the device: its number, loss and gradient norm, and the norm of the
    step before it; and the sum of losses since the device was last asked."""

    def __init__(self, device: torch.device) -> None:
        self.first = torch.tensor([-1.0, 0.0, 0.0, 0.0], dtype=torch.float64, device=device)
        self.norm_before = torch.zeros((), dtype=torch.float64, device=device)
        self.losses = torch.zeros((), dtype=torch.float64, device=device)
        self.steps = 0
        self.skipped = 0  # steps in a row

    def start_again(self) -> None:
        """Forget a bad step, which was skipped."""
        self.norm_before = self.first[3].clone()
        self.first[0] = -1
        self.losses.nan_to_num_(0.0, 0.0, 0.0)

    def note(self, step: int, loss: torch.Tensor, norm: torch.Tensor | None) -> None:
        """Keep what global step `step` (from 0) came to; `norm` is None where the scaler judges gradients by itself."""
        loss = loss.double()
        norm = torch.zeros_like(loss) if norm is None else norm.double()
        now = torch.stack([torch.full_like(loss, step), loss, norm, self.norm_before])
        bad = ~torch.isfinite(loss + norm) & (self.first[0] < 0)
        self.first = torch.where(bad, now, self.first)
        self.norm_before = norm
        self.losses += loss
        self.steps += 1

    def ask(self) -> tuple[int, float, float, float] | None:
        """(step, loss, gradient norm, norm before) of the first bad step, or None. Waits for the device."""
        step, loss, norm, before = self.first.tolist()
        return None if step < 0 else (int(step), loss, norm, before)

    def take_mean(self) -> float:
        """The mean loss since it was last taken. Waits for the device."""
        mean = self.losses.item() / max(1, self.steps)
        self.losses.zero_()
        self.steps = 0
        return mean


def images_of(step: int, steps_per_epoch: int, images: int, batch: int, seed: int, repeats: int = 1) -> list[int]:
    """Numbers of the training images in the global batch of global step `step`."""
    epoch, within = divmod(step, steps_per_epoch)
    return global_batch(epoch_order(images, seed, epoch), batch, within, repeats)[:, 1].tolist()


def record(folder: Path | None, bad: tuple[int, float, float, float], images: list[int]) -> str:
    """Add a bad step to nonfinite.jsonl in `folder`, if given, with all its images; a sentence about it."""
    step, loss, norm, before = bad
    figures = {"loss": str(loss), "gradient_norm": str(norm), "gradient_norm_before": str(before)}
    if folder is not None:
        with open(folder / "nonfinite.jsonl", "a") as file:
            file.write(json.dumps({"step": step, **figures, "images": images}) + "\n")
    rest = f" and {len(images) - SHOWN} more in nonfinite.jsonl" if len(images) > SHOWN else ""
    return (
        f"step {step} was not finite: loss {loss:.4g}, gradient norm {norm:.4g} (the step before {before:.4g}), "
        f"training images {', '.join(map(str, images[:SHOWN]))}{rest}"
    )


def stop(sentence: str) -> UserError:
    """The error that ends a run at a bad step."""
    return UserError(f"{sentence}: lower optimizer.lr, set clip_norm, or continue with on_nonfinite=skip")


def stuck(mean_loss: float, classes: int, heads: float) -> str | None:
    """A warning if the loss is still that of guessing; `heads`: sum of the weights of all heads."""
    guess = heads * math.log(classes)
    if abs(mean_loss - guess) > STUCK_WITHIN * guess:
        return None
    return (
        f"warning: after {STUCK_AFTER} steps the loss is {mean_loss:.3f}, that of guessing among {classes} classes "
        f"({guess:.3f}): the network does not learn; check optimizer.lr, the schedule's warm-up and the labels"
    )


def diverging(mean_loss: float, lowest: float | None) -> str | None:
    """A warning if the mean loss of an epoch is far above the lowest so far."""
    if lowest is None or mean_loss <= DIVERGED * lowest:
        return None
    return f"warning: the training loss is {mean_loss:.4g}, and was {lowest:.4g} before: the run is getting worse"
