"""By how much packing changes pixels, in words."""

from __future__ import annotations

import numpy as np

from cnnbench.data.commands.difference import _in_words


def test_the_signal_to_noise_ratio_is_in_decibels():
    squared = 255.0**2 / 10 ** (np.array([10.0, *[40.0] * 18, 50.0]) / 10)
    said = _in_words(np.full(20, 1.5), squared)
    assert said == "mean difference 1.50 of 255, PSNR 40.0 dB (median), 10.0 dB (worst 5 %)"
    assert _in_words(np.zeros(3), np.zeros(3)) == "the same"
