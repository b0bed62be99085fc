"""Whether the numbers are still good: a loss or gradient that is not finite, a network that does not learn, one that
gets worse. What a step says stays on the device, which is asked only every so often."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnbench.data.loading.sampler import SampleOrder, epoch_order, global_batch
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import json_or_none, json_text, read_text, write_text
from cnnbench.runtime.shell import counted

EVERY = 50  # steps between two questions to the device
STUCK_AFTER = 1000  # steps after which the loss should have left that of guessing; a multiple of EVERY
STUCK_WITHIN = 0.01  # of that loss
DIVERGED = 1.5  # times the lowest loss of an epoch so far
IN_A_ROW = 20  # skipped steps after which the run stops

NONFINITE = "nonfinite.jsonl"
AGAIN = "begin a new run with a lower optimizer.lr, or with clip_norm; what was saved before is untouched"
SHOWN = 8  # images that a message names


def poisoned(loss: torch.Tensor) -> torch.Tensor:
    """`loss`, its gradient made NaN if it is not finite: averaged over the processes, it reaches all of them."""
    return loss * torch.where(torch.isfinite(loss.detach()), 1.0, math.nan)


def gradient_norm(parameters: list[nn.Parameter]) -> torch.Tensor:
    """Euclidean norm of all gradients, a scalar on their device."""
    norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
    return torch.linalg.vector_norm(torch.stack(norms))


class BadStep(NamedTuple):
    """A step that was not finite: its number over the whole run, from 0, its loss and gradient norm, and the gradient
    norm of the step before."""

    step: int
    loss: float
    norm: float
    norm_before: float


class StepFigures(NamedTuple):
    """What a process's share of a step came to: its mean loss, and how many of its images were wrong at top 1."""

    loss: float
    wrong: int


class NonFiniteMonitor:
    """Loss, gradient norm and wrong answers of each step, kept on the device until it is asked: which step was the
    first that was not finite, and which steps are new. One small kernel for a step, and no new memory."""

    def __init__(self, device: torch.device) -> None:
        # loss, norm and wrong answers of the steps not asked for yet; float32 holds whole numbers up to 2^24 exactly
        self.figures = torch.zeros(EVERY, 3, device=device)
        self.rows = list(self.figures)
        self.none = torch.zeros((), device=device)
        self.steps: list[int] = []  # their numbers
        self.first: BadStep | None = None
        self.norm_before = 0.0
        self.done: list[StepFigures] = []
        self.skipped = 0  # steps in a row

    def start_again(self) -> None:
        """Forget a bad step, the last one, which was skipped."""
        if self.first is not None:
            self.norm_before, self.first = self.first.norm_before, None
            self.done.pop()

    def note(self, step: int, loss: torch.Tensor, norm: torch.Tensor | None, wrong: torch.Tensor) -> None:
        """Keep what global step `step` (from 0) came to, scalars in float32; `norm` is None where the scaler judges
        gradients by itself. Once in EVERY steps without a question, waits for the device."""
        if len(self.steps) == EVERY:
            self.ask()
        torch.stack((loss, self.none if norm is None else norm, wrong), out=self.rows[len(self.steps)])
        self.steps.append(step)

    def ask(self) -> BadStep | None:
        """The first bad step, or None. Waits for the device."""
        if self.steps:
            for step, (loss, norm, wrong) in zip(self.steps, self.figures[: len(self.steps)].tolist(), strict=True):
                if self.first is None and not math.isfinite(loss + norm):
                    self.first = BadStep(step, loss, norm, self.norm_before)
                self.norm_before = norm
                self.done.append(StepFigures(loss, int(wrong)))
            self.steps.clear()
        return self.first

    def take(self) -> list[StepFigures]:
        """The figures of the steps asked for since they were last taken, without skipped ones."""
        taken, self.done = self.done, []
        return taken


def images_of(step: int, order: SampleOrder) -> list[int]:
    """Numbers of the training images in the global batch of global step `step`."""
    epoch, within = divmod(step, order.steps_per_epoch)
    images = epoch_order(order.images, order.seed, epoch)
    return global_batch(images, order.batch, within, order.repeats)[:, 1].tolist()


def record_nonfinite(folder: Path | None, bad: BadStep, images: list[int]) -> str:
    """Add a bad step to nonfinite.jsonl in `folder`, if given, with all its images, and once even if a killed run comes
    there again; a sentence about it."""
    step, loss, norm, before = bad
    figures = {"loss": str(loss), "gradient_norm": str(norm), "gradient_norm_before": str(before)}
    if folder is not None:
        line = json_text({"step": step, **figures, "images": images})
        kept = [each for each in (read_text(folder / NONFINITE) or "").splitlines() if json_or_none(each) is not None]
        write_text(folder / NONFINITE, "".join(f"{each}\n" for each in dict.fromkeys([*kept, line])))
    rest = f" and {len(images) - SHOWN} more in nonfinite.jsonl" if len(images) > SHOWN else ""
    return (
        f"step {step} was not finite: loss {loss:.4g}, gradient norm {norm:.4g} (the step before {before:.4g}), "
        f"training images {', '.join(map(str, images[:SHOWN]))}{rest}"
    )


def stop(sentence: str) -> UserError:
    """The error that ends a run at a bad step."""
    return UserError(f"{sentence}: lower optimizer.lr, set clip_norm, or continue with on_nonfinite=skip")


def stop_after_evaluation(epoch: int, losses: list[float]) -> UserError:
    """The error that ends a run whose validation losses after `epoch`, of its weights and of their average if there is
    one, are not all finite."""
    said = " and ".join(f"{loss:.4g}{of}" for loss, of in zip(losses, ("", " with the averaged weights"), strict=False))
    return UserError(f"the validation loss after epoch {epoch} is {said}: {AGAIN}")


def check_weights(content: dict[str, Any], where: tuple[int, int]) -> None:
    """Raise UserError if weights or statistics in a checkpoint's `content`, on the CPU, are not finite; `where`: epochs
    and steps done."""
    for network, whose in (("model", ""), ("averaged", "averaged ")):
        for name, tensor in content.get(network, {}).items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                epoch, step = where
                raise UserError(
                    f"the {whose}weights after step {step} ({counted(epoch, 'epoch')} done) are not finite, {name} for "
                    f"one: {AGAIN}"
                )


def stuck(mean_loss: float, classes: int, heads: float) -> str | None:
    """A warning if the loss is still that of guessing; `heads`: sum of the weights of all heads."""
    guess = heads * math.log(classes)
    if abs(mean_loss - guess) > STUCK_WITHIN * guess:
        return None
    return (
        f"warning: after {STUCK_AFTER} steps the loss is {mean_loss:.3f}, that of guessing among {classes} classes "
        f"({guess:.3f}): the network does not learn; check optimizer.lr, the schedule's warm-up and the labels"
    )


def worse_than_nothing(mean_loss: float, classes: int, heads: float) -> str | None:
    """A warning if the mean loss of an epoch is far above that of a classifier whose weights are 0; `heads`: sum of the
    weights of all heads."""
    guess = heads * math.log(classes)
    if mean_loss <= DIVERGED * guess:
        return None
    return (
        f"warning: the training loss is {mean_loss:.4g} and does not fall, where a classifier whose weights are 0 has "
        f"{guess:.3f}: optimizer.lr is too high for frozen features of this size, as those of random weights are: "
        "lower it, or take `cnnbench probe`, which standardises them"
    )


def diverging(mean_loss: float, lowest: float | None) -> str | None:
    """A warning if the mean loss of an epoch is far above the lowest so far."""
    if lowest is None or mean_loss <= DIVERGED * lowest:
        return None
    return f"warning: the training loss is {mean_loss:.4g}, and was {lowest:.4g} before: the run is getting worse"
