"""What a layout finds: images, and the names of their classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnbench.data.storage import Storage


@dataclass(frozen=True)
class Listing:
    """`labels` int64 (n,) count in `classes`, the sorted names (WordNet ids, for ILSVRC) that occur; image i of
    `labels` is image i of `storage`. `source` is what messages call it."""

    source: str
    classes: tuple[str, ...]
    labels: np.ndarray
    storage: Storage
