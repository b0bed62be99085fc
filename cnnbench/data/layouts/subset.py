"""From all images of a listing to those of a split: which classes, in which order of labels, and how many of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnbench.config.data import SourceConfig
from cnnbench.data.layouts.ilsvrc import WORDNET_ID
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError, nearest, reason


def subset(listing: Listing, data: SourceConfig, split: str, known: Sequence[str] | None) -> Split:
    """The images of `listing` that `data` asks for, with labels that count in the `known` classes.

    By default those of the file `data.classes`, else of the listing. Where `data.classes` chooses some classes the
    images of others are left out; else a class that is not known raises UserError. `data.train_fraction` is for train.
    """
    if known is None:
        known = listing.classes if data.classes is None else read_classes(data.classes, listing)
    label_of = {name: label for label, name in enumerate(known)}
    unknown = [name for name in listing.classes if name not in label_of]
    if unknown and data.classes is None:
        raise UserError(
            f"{listing.source} has the class '{unknown[0]}', which is not one of the {len(known)} classes known"
            f"{nearest(unknown[0], known)}"
        )
    labels = np.array([label_of.get(name, -1) for name in listing.classes], np.int64)[listing.labels]
    numbers = np.flatnonzero(labels >= 0)
    if split == "train" and data.train_fraction < 1:
        numbers = numbers[_share(labels[numbers], data.train_fraction)]
    if not len(numbers):
        raise UserError(f"{listing.source} has no images of the {len(known)} chosen classes")
    return Split(tuple(known), labels[numbers], numbers, listing.storage)


def read_classes(path: str, listing: Listing) -> tuple[str, ...]:
    """The classes that a file names, one per line, in its order; after a WordNet id a line may have any text.

    UserError for a name that the listing lacks, or that comes twice.
    """
    try:
        lines = [line.strip() for line in Path(path).expanduser().read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"data.classes={path} cannot be read: {reason(error)}") from error
    names = [match[0] if (match := WORDNET_ID.match(line)) else line for line in lines if line]
    known = set(listing.classes)
    for name in names:
        if name not in known:
            hint = nearest(name, known)
            raise UserError(f"data.classes={path} names '{name}', which is not a class of {listing.source}{hint}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"data.classes={path} has to name each class once, one per line")
    return tuple(names)


def _share(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Positions, sorted, of `fraction` of each class's images, at least one of each, evenly spread over its list."""
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    counts = [max(1, round(fraction * len(group))) if len(group) else 0 for group in groups]
    return np.sort(np.concatenate([g[np.arange(n) * len(g) // n] for g, n in zip(groups, counts, strict=True) if n]))
