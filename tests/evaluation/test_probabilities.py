"""The mean of several opinions is again a probability."""

from __future__ import annotations

import torch

from cnnbench.evaluation.probabilities import log_mean_probability


def test_opinions_are_averaged_as_probabilities():
    shares = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2]]], dtype=torch.float64)
    mean = log_mean_probability(shares.log() + torch.tensor([[[5.0], [-3.0], [0.0]]])).exp()  # logits have any offset
    torch.testing.assert_close(mean, shares.mean(1))
