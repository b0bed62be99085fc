"""How a data set may lie on disk: each module here recognises one way by a look at the folder, and lists its images.

A listing becomes a Split once its classes have got their numbers: those of the network, of the file `data.classes`, or
else sorted by name (for ILSVRC's WordNet ids that is the usual order).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from cnnbench.config import DataConfig
from cnnbench.data.layouts import class_folders, packed
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.sample import sample_folder
from cnnbench.data.split import Split
from cnnbench.errors import UserError

# In this order; the last one says what was looked for when nothing fits. Each module has
#   recognises(root: Path) -> bool             a quick look, without reading images
#   list_images(root: Path, split: str) -> Listing    split is "train" or "val"
LAYOUTS: dict[str, ModuleType] = {
    "packed files": packed,
    "class folders": class_folders,
}


def data_folder(path: str) -> Path:
    """The folder that `path` stands for: itself, or the unpacked bundled sample for "sample"."""
    return sample_folder() if path == "sample" else Path(path).expanduser().absolute()


def read_split(data: DataConfig, split: str, classes: Sequence[str] | None = None) -> Split:
    """The images of `split` ("train" or "val") of a data set, in the sorted order of its layout.

    `classes`: the known classes, in the order of their labels; by default those of the split itself, sorted. A class of
    the split that is not among them is an error.
    """
    root = data_folder(data.path)
    listing = _layout(root).list_images(root, split)
    return _numbered(listing, tuple(classes) if classes is not None else listing.classes)


def _layout(root: Path) -> ModuleType:
    return next((layout for layout in LAYOUTS.values() if layout.recognises(root)), class_folders)


def _numbered(listing: Listing, classes: tuple[str, ...]) -> Split:
    """`listing` with labels that count in `classes`."""
    label_of = {name: label for label, name in enumerate(classes)}
    for name in listing.classes:
        if name not in label_of:
            raise UserError(
                f"{listing.source} has the class '{name}', which is not one of the {len(classes)} classes known"
            )
    labels = np.array([label_of[name] for name in listing.classes], np.int64)[listing.labels]
    return Split(classes, labels, np.arange(len(labels)), listing.storage)
