"""Operations on training images, uint8: one file each, with a form for one image and a form for a batch on any device.

A new one is a file with an Operation, a line in OPERATIONS, and its group of keys (with `p`) in AugmentConfig,
in the default order there too.
"""

from __future__ import annotations

from typing import Any

from cnnbench.data.augment.clahe import CLAHE
from cnnbench.data.augment.contrast import CONTRAST
from cnnbench.data.augment.equalize import EQUALIZE
from cnnbench.data.augment.erase import ERASE
from cnnbench.data.augment.flip import FLIP
from cnnbench.data.augment.jitter import JITTER
from cnnbench.data.augment.operation import Operation
from cnnbench.data.augment.pca import PCA
from cnnbench.data.augment.policy import POLICY
from cnnbench.data.augment.rotate import ROTATE
from cnnbench.data.augment.shift import SHIFT
from cnnbench.runtime.implementations import Implementations

OPERATIONS: Implementations[Operation[Any]] = Implementations(
    "OPERATIONS in cnnbench/data/augment/operations.py",
    {
        "flip": FLIP,
        "rotate": ROTATE,
        "shift": SHIFT,
        "contrast": CONTRAST,
        "equalize": EQUALIZE,
        "clahe": CLAHE,
        "jitter": JITTER,
        "pca": PCA,
        "policy": POLICY,
        "erase": ERASE,
    },
)
