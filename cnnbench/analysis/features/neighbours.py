"""The images whose features lie nearest to those of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Neighbours:
    """The `most` nearest of all features seen so far to each of `queries`, float32 (Q, D), by `distance`."""

    queries: np.ndarray
    most: int
    distance: str
    found: list[list[tuple[float, int]]] = field(init=False)  # of each query (distance, image), the nearest first

    def __post_init__(self) -> None:
        self.found = [[] for _ in self.queries]

    def look(self, start: int, features: np.ndarray) -> None:
        """Take the features (N, D) of the images `start` ... into account; one with NaN is passed over. Of equal
        distances the image that comes first is nearer."""
        for row, query in enumerate(self.queries):
            distances = DISTANCES[self.distance](features, query)
            usable = np.flatnonzero(~np.isnan(distances))
            nearest = usable[np.argsort(distances[usable], kind="stable")][: self.most]
            pairs = [(float(distances[i]), start + int(i)) for i in nearest]
            self.found[row] = sorted([*self.found[row], *pairs])[: self.most]


def _euclidean(features: np.ndarray, query: np.ndarray) -> np.ndarray:
    difference = features.astype(np.float64) - query
    return np.sqrt((difference**2).sum(1))


def _cosine(features: np.ndarray, query: np.ndarray) -> np.ndarray:
    wide = features.astype(np.float64)
    lengths = np.sqrt((wide**2).sum(1)) * np.sqrt((query.astype(np.float64) ** 2).sum())
    with np.errstate(invalid="ignore"):  # of a feature that is 0 there is no angle: NaN
        return 1 - wide @ query.astype(np.float64) / lengths


DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"euclidean": _euclidean, "cosine": _cosine}


def as_rows(values: Sequence[np.ndarray]) -> np.ndarray:
    """Features of any shape as float32 (n, D)."""
    return np.concatenate([value.reshape(len(value), -1) for value in values])
