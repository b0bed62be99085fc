"""Test sets whose published errors are of some of ILSVRC's classes only: which classes compete, and which are right.

ImageNet-A (Hendrycks et al. 2019, github.com/hendrycks/natural-adv-examples, eval.py) and ImageNet-R (Hendrycks et al.
2020, github.com/hendrycks/imagenet-r, eval.py) are recognised by their 200 classes, which test_sets.tsv has from these
files; the authors take the logits of these classes alone. ObjectNet has its own layout; its errors are of the classes
that it maps to, any of which is right (Taori et al. 2020, github.com/modestyachts/imagenet-testbed, in
eval_settings/objectnet.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cnnbench.data.layouts import objectnet
from cnnbench.runtime.errors import UserError

TABLE = Path(__file__).with_name("test_sets.tsv")  # WordNet id, and a, r or both: the sets that have it
BY_CLASSES = {"a": "ImageNet-A", "r": "ImageNet-R"}
PRESENT, ALL, AUTO = "present", "all", "auto"  # of the key `competing`


@dataclass(frozen=True)
class TestSet:
    """`right`: for each class of the images the classes of the network that are right; those of all of them compete.
    `border`: pixels around each image that are no part of it."""

    __test__ = False  # its name begins as a test's does, but it is none

    name: str
    right: dict[str, tuple[str, ...]]
    border: int = 0


def find_test_set(root: Path, classes: Sequence[str]) -> TestSet | None:
    """The named test set whose folder is `root` and whose images are of `classes`; None of any other. Raises UserError,
    ValueError."""
    if objectnet.recognises(root):
        return TestSet("ObjectNet", objectnet.right_answers(root), objectnet.BORDER)
    for letter, name in BY_CLASSES.items():
        if set(classes) == _classes_of(letter):
            return TestSet(name, {one: (one,) for one in classes})
    return None


def answers(test_set: TestSet, classes: Sequence[str], labels: np.ndarray, known: Sequence[str]) -> np.ndarray:
    """The right answers for each image, int64 (n, most), counted in the network's classes `known`; rows with fewer
    answers repeat their first. `labels` count in `classes`. Raises UserError where the network lacks a class."""
    label_of = {name: label for label, name in enumerate(known)}
    lacking = [one for name in classes for one in test_set.right[name] if one not in label_of]
    if lacking:
        raise UserError(f"{test_set.name} needs a network of ILSVRC's classes, and this one has no {lacking[0]}")
    rows = [[label_of[one] for one in test_set.right[name]] for name in classes]
    most = max(map(len, rows))
    return np.array([row + row[:1] * (most - len(row)) for row in rows], np.int64)[labels]


def competing(right: Sequence[Sequence[str]], known: Sequence[str]) -> np.ndarray:
    """int64 (classes,): for each of the network's classes `known` the number of the answer that it is part of, -1 where
    it takes no part. Classes that are `right` for one class of the images are one answer."""
    groups = {name: number for number, names in enumerate(right) for name in names}
    return np.array([groups.get(name, -1) for name in known], np.int64)


@cache
def _classes_of(letter: str) -> frozenset[str]:
    lines = (line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return frozenset(name for name, sets in lines if letter in sets)
