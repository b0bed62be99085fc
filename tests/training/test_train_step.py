"""Single steps, on a network of a few weights: the generator of dropout, steps that are not finite, skipped steps."""

from __future__ import annotations

import io
import itertools
import math
import weakref

import pytest
import torch

from cnnbench.config.average import AverageConfig
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.runtime.errors import UserError
from cnnbench.training import train_step
from cnnbench.training.context import TrainContext
from cnnbench.training.optimizers.build import build_optimizer
from tests.support.tiny_contexts import context_of


def test_dropout_depends_on_seed_step_part_and_process():
    """Each part of a step and each process drops others, or accumulating would drop the same units twice; and it does
    so again in a run that continues."""

    def drawn(seed: int, rank: int) -> list[float]:
        one = context_of(rank, seed=seed, accumulate=2)
        parts = itertools.repeat((torch.ones(2, 2), torch.zeros(2, dtype=torch.long)))
        for step in range(3):
            train_step.train_step(one, parts, step, 0.0)
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
        train_step.train_step(one, iter([(good, labels)]), step, 0.1)
        states.append(kept())
    assert len(set(states)) == 3
    with pytest.raises(UserError, match="step 3 was not finite: loss nan"):
        train_step.train_step(one, iter([(good * bad, labels)]), 3, 0.1)
    assert kept() == states[-1]


def note_steps(one: TrainContext, losses: list[float]) -> list[bool]:
    skipped = []
    for loss in losses:
        step = len(skipped)
        one.monitor.note(step, torch.tensor(loss), torch.tensor(1.0), torch.tensor(0.0))
        skipped.append(train_step._skip(one, step, []))
    return skipped


def test_a_run_stops_at_the_twentieth_skipped_step_in_a_row():
    """A scaler or a bad batch may cost a few steps; a network that is lost skips all of them."""
    losses = [*[math.nan] * 19, 1.0, *[math.inf] * 19, 1.0]
    assert note_steps(context_of(), losses) == [not math.isfinite(loss) for loss in losses]
    one = context_of()
    with pytest.raises(UserError, match=r"step 19 was not finite.*; it is the last of 20 such steps in a row"):
        note_steps(one, [math.nan] * 30)


def test_images_are_given_back_before_the_update(monkeypatch):
    """They would take memory beside what an optimiser hands out."""
    one, shown, seen = context_of(), [], []

    def batch(_: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.ones(4, 2)
        shown.append(weakref.ref(images))
        return images, torch.zeros(4, dtype=torch.long)

    monkeypatch.setattr(one.optimizer, "step", lambda: seen.append(shown[0]()))
    train_step.train_step(one, map(batch, range(1)), 0, 0.1)
    assert seen == [None]
