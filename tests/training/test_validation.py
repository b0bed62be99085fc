"""The evaluation after an epoch ends a run whose loss is not finite."""

from __future__ import annotations

import math

import pytest

from cnnbench.config.average import AverageConfig
from cnnbench.evaluation.counts import Counts
from cnnbench.runtime.errors import UserError
from cnnbench.training import validation
from cnnbench.training.state import TrainState
from tests.support.tiny_contexts import context_of


@pytest.mark.parametrize("losses", [[math.nan], [1.0, math.inf], [-math.inf, 1.0]])
def test_a_validation_loss_that_is_not_finite_ends_the_run(losses, monkeypatch):
    one, state = context_of(average=AverageConfig("ema")), TrainState(epoch=2)
    monkeypatch.setattr(validation, "evaluate", lambda *_: [(Counts(1, 0, 4), loss) for loss in losses])
    with pytest.raises(UserError, match=r"the validation loss after epoch 3 is \S+.*: begin a new run with a lower"):
        validation.evaluate_epoch(one, state)
    assert state.counts is None
