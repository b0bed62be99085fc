"""Single steps of the loop, on a network of a few weights: the generator of dropout, skipped steps, the clock."""

from __future__ import annotations

import io
import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from cnnbench.config.arch import ArchConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.train import TrainConfig
from cnnbench.evaluation.counts import Counts
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError
from cnnbench.training import loop, monitor
from cnnbench.training.context import TrainContext, build_context
from cnnbench.training.data import TrainData
from cnnbench.training.optimizers.build import build_optimizer
from cnnbench.training.state import TrainState


class Drawing(nn.Module):
    """A network that keeps a number of the generator at each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.drawn = nn.Linear(2, 3), []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.drawn.append(torch.rand(()).item())
        return self.fc(x)


def context_of(rank: int = 0, **keys: Any) -> TrainContext:
    """What trains a network of a few weights, in epochs of 100 steps."""
    arch = ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.5] * 3)
    optimizer = OptimizerConfig(kind="sgd", lr=0.1)
    config = TrainConfig(recipe="x", epochs=1, batch=4, arch=arch, optimizer=optimizer, **keys)
    data = TrainData(["a", "b", "c"], 400, None, None, {})
    context = build_context(config, Drawing(), data, Path("nowhere"), Process(rank))
    context.folder = None
    return context


def test_dropout_depends_on_seed_step_part_and_process():
    """Each part of a step and each process drops others, or accumulating would drop the same units twice; and it does
    so again in a run that continues."""

    def drawn(seed: int, rank: int) -> list[float]:
        one = context_of(rank, seed=seed, accumulate=2)
        parts = itertools.repeat((torch.ones(2, 2), torch.zeros(2, dtype=torch.long)))
        for step in range(3):
            loop.train_step(one, parts, step, 0.0)
        return one.model.drawn

    numbers = [number for seed in (0, 1) for rank in (0, 1) for number in drawn(seed, rank)]
    assert len(set(numbers)) == len(numbers) == 2 * 2 * 3 * 2
    assert drawn(1, 1) == numbers[-6:]


@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("kind", ["sgd", "adamw", "caffe_sgd", "lamb"])
def test_a_step_that_is_not_finite_is_stopped_before_the_optimiser_has_seen_it(kind, bad):
    """Weights, their average and what the optimiser keeps are those of the step before, to the last bit."""
    one = context_of(average=AverageConfig("ema", decay=0.5))
    one.optimizer = build_optimizer(one.model, OptimizerConfig(kind=kind, lr=0.1, momentum=0.9), 4)
    good, labels = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, dtype=torch.long)

    def kept() -> bytes:
        file = io.BytesIO()
        torch.save([one.model.state_dict(), one.averaged.module.state_dict(), one.optimizer.state_dict()], file)
        return file.getvalue()

    states = []
    for step in range(3):
        loop.train_step(one, iter([(good, labels)]), step, 0.1)
        states.append(kept())
    assert len(set(states)) == 3
    with pytest.raises(UserError, match="step 3 was not finite: loss nan"):
        loop.train_step(one, iter([(good * bad, labels)]), 3, 0.1)
    assert kept() == states[-1]


@pytest.mark.parametrize("losses", [[math.nan], [1.0, math.inf], [-math.inf, 1.0]])
def test_a_validation_loss_that_is_not_finite_ends_the_run(losses, monkeypatch):
    one, state = context_of(average=AverageConfig("ema")), TrainState(epoch=2)
    monkeypatch.setattr(loop, "evaluate", lambda *_: [(Counts(1, 0, 4), loss) for loss in losses])
    with pytest.raises(UserError, match=r"the validation loss after epoch 3 is \S+.*: begin a new run with a lower"):
        loop._evaluate(one, state)
    assert state.counts is None


def test_wrong_answers_on_training_images_are_counted_over_all_parts_of_a_step():
    one, state = context_of(accumulate=2), TrainState()
    with torch.no_grad():
        one.model.fc.weight.copy_(torch.tensor([[1.0, 0], [0, 1.0], [0, 0]]))
        one.model.fc.bias.zero_()
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # answered with classes 0 and 1
    parts = [(images, torch.tensor([0, 1])), (images, torch.tensor([2, 1])), *[(images, torch.tensor([1, 0]))] * 2]
    batches = iter(parts)
    for step in range(2):
        loop.train_step(one, batches, step, 0.0)
    loop._ask_monitor(one, state, 2)
    assert (state.wrong, state.counted) == (1 + 4, 2)
    assert loop._training_figures(one, state)[1:] == (5, 8)


def note_steps(one: TrainContext, losses: list[float]) -> list[bool]:
    skipped = []
    for loss in losses:
        step = len(skipped)
        one.monitor.note(step, torch.tensor(loss), torch.tensor(1.0), torch.tensor(0.0))
        skipped.append(loop._skip(one, step, []))
    return skipped


def test_a_run_stops_at_the_twentieth_skipped_step_in_a_row():
    """A scaler or a bad batch may cost a few steps; a network that is lost skips all of them."""
    losses = [*[math.nan] * 19, 1.0, *[math.inf] * 19, 1.0]
    assert note_steps(context_of(), losses) == [not math.isfinite(loss) for loss in losses]
    one = context_of()
    with pytest.raises(UserError, match=r"step 19 was not finite.*; it is the last of 20 such steps in a row"):
        note_steps(one, [math.nan] * 30)


def test_a_loss_that_stays_at_guessing_is_said_after_a_thousand_steps_and_once():
    """The loop asks at every fiftieth step, so that the thousandth must be one; the losses since the last question
    count, and a loss within a hundredth of that of guessing."""
    said: list[str] = []
    one = context_of()
    one.log = SimpleNamespace(say=said.append)
    guess = math.log(3)
    for step in range(1, 2001):
        if step % monitor.EVERY == 0:
            loss = torch.tensor(guess * (1.009 if step == 1000 else 1.0))
            one.monitor.note(step - 1, loss, torch.tensor(1.0), torch.tensor(0.0))
            loop._ask_monitor(one, TrainState(), step)
    (sentence,) = said
    assert "after 1000 steps the loss is 1.108, that of guessing among 3 classes (1.099)" in sentence
    assert monitor.stuck(guess * 1.011, 3, 1.0) is None
    assert monitor.stuck(guess * 0.989, 3, 1.0) is None


@pytest.mark.parametrize(
    ("best", "every", "epoch", "names"),
    [
        (3, None, 3, ("best.pt",)),
        (2, None, 3, ()),
        (1, 5, 4, ()),
        (1, 5, 5, ("epoch-0005.pt",)),
        (10, 5, 10, ("best.pt", "epoch-0010.pt")),
        (None, 1, 1, ("epoch-0001.pt",)),
    ],
)
def test_names_under_which_an_epochs_checkpoint_is_kept(best, every, epoch, names):
    assert loop._names(context_of(keep_every=every), TrainState(epoch=epoch, best_epoch=best)) == names
