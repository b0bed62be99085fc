"""The errors of an evaluation, for callers of Python."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.evaluation.predictions import Predictions
from cnnbench.evaluation.statistics import wilson_interval


@dataclass(frozen=True)
class Evaluation:
    """Errors in percent with 95 % intervals, from counts of whole images; `predictions` has every image's."""

    top1_error: float
    top5_error: float
    top1_interval: tuple[float, float]
    top5_interval: tuple[float, float]
    wrong_top1: int
    wrong_top5: int
    n: int
    protocol: str
    predictions: Predictions


def evaluation_of(predictions: Predictions, protocol: str) -> Evaluation:
    """What `predictions` of all images come to; `protocol`: how the images were seen, in words."""
    counts = predictions.counts()
    return Evaluation(
        top1_error=counts.top1_error,
        top5_error=counts.top5_error,
        top1_interval=wilson_interval(counts.wrong1, counts.n),
        top5_interval=wilson_interval(counts.wrong5, counts.n),
        wrong_top1=counts.wrong1,
        wrong_top5=counts.wrong5,
        n=counts.n,
        protocol=protocol,
        predictions=predictions,
    )
