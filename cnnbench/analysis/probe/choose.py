"""The penalty of a linear classifier, chosen by images that its fits do not see, and the classifier with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cnnbench.analysis.probe.classifier import Fit, Rows, fit, no_weights
from cnnbench.runtime.errors import UserError


@dataclass(frozen=True)
class Settings:
    """What does not depend on the layer."""

    classes: int
    penalties: list[float]
    iterations: int
    device: torch.device


@dataclass(frozen=True)
class Tried:
    """One penalty: the error on the held-out images, in percent."""

    penalty: float
    error: float


@dataclass(frozen=True)
class Chosen:
    """The classifier, fitted to all training images by the penalty with the least error on the held-out ones, of equal
    ones the largest; all that were tried, the largest penalty first."""

    penalty: float
    fit: Fit
    tried: tuple[Tried, ...]

    @property
    def held_out_error(self) -> float:
        """Of the chosen penalty, percent."""
        return min(tried.error for tried in self.tried)

    @property
    def at_end(self) -> bool:
        """Whether the chosen penalty is the smallest or largest of several: a better one may lie beyond."""
        return len(self.tried) > 1 and self.penalty in (self.tried[0].penalty, self.tried[-1].penalty)


def hold_out(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, sorted, of the images to fit to and of those held out: of each class its `share`, rounded, drawn by
    `seed`, and at least one image to fit to. Raises UserError if none is held out."""
    random, held = np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = random.permutation(np.flatnonzero(labels == label))
        held.append(images[: min(len(images) - 1, round(share * len(images)))])
    out = np.sort(np.concatenate(held))
    if len(out) == 0:
        raise UserError(f"held_out={share:g} of the images of each class is none: raise held_out=, or give more images")
    return np.setdiff1d(np.arange(len(labels)), out), out


def choose(values: np.ndarray, labels: np.ndarray, parts: tuple[np.ndarray, np.ndarray], settings: Settings) -> Chosen:
    """The classifier of features (n, D) with `labels`; `parts`: what `hold_out` gave."""
    within, out = (Rows(values, labels, rows) for rows in parts)
    start, found = no_weights(settings.classes, values.shape[1], settings.device), []
    for penalty in sorted(set(settings.penalties), reverse=True):  # each fit starts where a stronger one ended
        one = fit(within, penalty, settings.iterations, start)
        found.append((Tried(penalty, 100 * one.wrong(out) / len(out.rows)), one.weights))
        start = one.weights
    best, weights = min(found, key=lambda pair: pair[0].error)
    everything = Rows(values, labels, np.arange(len(labels)))
    whole = fit(everything, best.penalty, settings.iterations, weights)
    return Chosen(best.penalty, whole, tuple(tried for tried, _ in found))
