"""The batch of a run, checked before anything is started. Imports no torch."""

from __future__ import annotations

import os

from cnnbench.config.batch import expected_batch
from cnnbench.config.train import TrainConfig
from cnnbench.runs.paths import has_begun
from cnnbench.runtime.group import place_in_group


def check_batch(config: TrainConfig) -> None:
    """Raise UserError if the batch of a new run does not split evenly, as far as that is known before it starts."""
    if not has_begun(config) and place_in_group(os.environ) is None:
        expected_batch(config)  # the run asks again with as many processes as there are
