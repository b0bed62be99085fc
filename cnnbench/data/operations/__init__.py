"""Operations on training images, uint8: one file each, with a form for one image and a form for a batch on any device.

A new one is a file with an Operation, a line in OPERATIONS, and its group of keys (with `p`) in AugmentConfig.
"""

from __future__ import annotations

from cnnbench.data.operations.clahe import CLAHE
from cnnbench.data.operations.contrast import CONTRAST
from cnnbench.data.operations.equalize import EQUALIZE
from cnnbench.data.operations.flip import FLIP
from cnnbench.data.operations.operation import Operation
from cnnbench.data.operations.rotate import ROTATE
from cnnbench.data.operations.shift import SHIFT

OPERATIONS: dict[str, Operation] = {
    "flip": FLIP,
    "rotate": ROTATE,
    "shift": SHIFT,
    "contrast": CONTRAST,
    "equalize": EQUALIZE,
    "clahe": CLAHE,
}
