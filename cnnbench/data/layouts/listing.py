"""What a layout finds: images, and the names of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbench.data.layouts.account import Account
from cnnbench.data.storage.files import Storage


@dataclass(frozen=True)
class Listing:
    """`labels` int64 (n,) count in `classes`, the sorted names (WordNet ids, for ILSVRC) that occur; image i of
    `labels` is image i of `storage`. `source` is what messages call it.

    `depends`: the folders and files whose change makes the listing out of date; without any, no index keeps it.
    `fingerprints`: of the names in those folders, as they were listed. `account`: what was left out."""

    source: str
    classes: tuple[str, ...]
    labels: np.ndarray
    storage: Storage
    depends: tuple[str, ...] = ()
    fingerprints: tuple[tuple[str, int], ...] = ()
    account: Account = Account()


def sorted_classes(names: Sequence[str], labels: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """The sorted `names`, and `labels`, which count in `names` as they come, counted in the sorted ones: int64 (n,)."""
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return tuple(names[index] for index in order), rank[labels]
