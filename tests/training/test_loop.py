"""What the loop counts, says and keeps, on a network of a few weights."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from cnnbench.training import loop, monitor, train_step
from cnnbench.training.state import TrainState
from tests.support.tiny_contexts import context_of


def test_wrong_answers_on_training_images_are_counted_over_all_parts_of_a_step():
    one, state = context_of(accumulate=2), TrainState()
    with torch.no_grad():
        one.model.fc.weight.copy_(torch.tensor([[1.0, 0], [0, 1.0], [0, 0]]))
        one.model.fc.bias.zero_()
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # answered with classes 0 and 1
    parts = [(images, torch.tensor([0, 1])), (images, torch.tensor([2, 1])), *[(images, torch.tensor([1, 0]))] * 2]
    batches = iter(parts)
    for step in range(2):
        train_step.train_step(one, batches, step, 0.0)
    loop._ask_monitor(one, state, 2)
    assert (state.wrong, state.counted) == (1 + 4, 2)
    assert loop._training_figures(one, state)[1:] == (5, 8)


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
