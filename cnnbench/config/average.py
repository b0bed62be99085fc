"""Averaged weights, `average.*`: training/averages.py has them."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.fields import Kind, Range, check_acting, key, require

AVERAGES = {
    "none": Kind("no average"),
    "ema": Kind("one that decays exponentially", ("decay", "follows", "warmup", "start_epoch", "every", "precise_bn")),
    "polyak": Kind("all steps with the same weight", ("start_epoch", "every", "precise_bn")),
}


@dataclass(frozen=True)
class AverageConfig:
    kind: str = key(
        "average of the weights over the steps, evaluated beside the weights themselves",
        "none",
        kinds=AVERAGES,
        source="none is named",
    )
    decay: float = key(
        "ema: share of the average that stays at each update, in [0, 1)",
        0.9999,
        range=Range(at_least=0, below=1),
    )
    follows: str = key(
        "ema: what decay is stated for: step: one update; run: an update takes off (1 - decay) x batch x every / "
        "epochs, as in torchvision's references",
        "step",
        choices=("step", "run"),
        source="one update, as where no other is named",
    )
    warmup: bool = key("ema: shorter memory at the start: decay at most (1 + n) / (10 + n) after n updates", True)
    start_epoch: float = key(
        "epoch from which on weights are averaged",
        0.0,
        range=Range(at_least=0),
        source="from the first step on, as where no other is named",
    )
    every: int = key("optimiser steps between two updates", 1, range=Range(at_least=1))
    precise_bn: int | None = key(
        "training images over which the statistics of batch normalisation are computed for the averaged weights, anew "
        "for each evaluation; null: they are averaged like the weights",
        None,
        range=Range(at_least=1),
    )


def check_average(average: AverageConfig, epochs: int) -> None:
    """Raise UserError for keys that cannot work together, or in so many `epochs`."""
    require(
        average.start_epoch < epochs,
        f"average.start_epoch={average.start_epoch:g} is past the end of epochs={epochs}: give less, as in "
        "average.start_epoch=0, or more epochs",
    )
    check_acting("average", average, AVERAGES)
