"""Operations on training images, uint8: one file each, with a form for one image and a form for a batch on any device.

A new one is a file with an Operation, a line in OPERATIONS, and its group of keys (with `p`) in AugmentConfig,
in the default order there too.
"""

from __future__ import annotations

from cnnbench.data.operations.clahe import CLAHE
from cnnbench.data.operations.contrast import CONTRAST
from cnnbench.data.operations.equalize import EQUALIZE
from cnnbench.data.operations.erase import ERASE
from cnnbench.data.operations.flip import FLIP
from cnnbench.data.operations.jitter import JITTER
from cnnbench.data.operations.operation import Operation
from cnnbench.data.operations.pca import PCA
from cnnbench.data.operations.policy import POLICY
from cnnbench.data.operations.rotate import ROTATE
from cnnbench.data.operations.shift import SHIFT

OPERATIONS: dict[str, Operation] = {
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
}
