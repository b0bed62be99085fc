"""How a data set may lie on disk: each module here recognises one way by a look at the folder, and lists its images.

A listing is kept in an index, and becomes a Split once its classes have got their numbers: those of the network, of
the file `data.classes`, or else sorted by name (for ILSVRC's WordNet ids that is the usual order).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from cnnbench.config.data import SourceConfig, is_synthetic
from cnnbench.data.layouts import (
    cifar,
    class_folders,
    flat_folders,
    flat_val,
    idx,
    imagenet_v2,
    index,
    kaggle,
    objectnet,
    packed,
    parquet,
    raw_tars,
    shards,
    synthetic,
)
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.split import Split
from cnnbench.data.layouts.subset import subset
from cnnbench.data.sample.sample import sample_folder
from cnnbench.data.storage.packed import Packed
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign

# In this order; the last one says what was looked for when nothing fits. Each module has
#   recognises(root: Path) -> bool             a quick look, without reading images
#   list_images(root: Path, split: str) -> Listing    split is "train" or "val"
LAYOUTS: dict[str, ModuleType] = {
    "packed files": packed,
    "synthetic": synthetic,
    "Parquet files": parquet,
    "ObjectNet": objectnet,
    "ImageNet-V2": imagenet_v2,
    "Kaggle's ILSVRC": kaggle,
    "class folders with a flat val folder": flat_val,
    "flat folders": flat_folders,
    "CIFAR": cifar,
    "MNIST's idx files": idx,
    "raw tars": raw_tars,
    "shards": shards,
    "class folders": class_folders,
}


def data_folder(path: str) -> Path:
    """The folder, or archive, that `path` stands for: for "sample" the unpacked bundled sample, else itself."""
    if is_synthetic(path):
        return Path(path)
    return sample_folder() if path == "sample" else Path(os.path.abspath(Path(path).expanduser()))


def read_split(data: SourceConfig, split: str, classes: Sequence[str] | None = None, anew: bool = False) -> Split:
    """The images of `split` ("train" or "val") of a data set, in the sorted order of its layout.

    `classes`: the known classes, in the order of their labels; by default those that `data` chooses. A class of the
    split that is not among them is an error, unless `data` chooses classes. `anew`: an index is not trusted.
    """
    path = data.given_path
    if shards.is_pattern(path):
        with foreign(path):
            root, listing = Path(path), shards.list_pattern(path, split)
    else:
        root = data_folder(path)
        listing = list_anew(root, split, find_layout(root)) if anew else read_listing(root, split)
    own = listing.storage.side_indices if isinstance(listing.storage, Packed) else ()
    indices, folder = (*own, *index.find_side_indices(root, split)), index.side_folder(root, split)
    with foreign(f"the classes of {path}"):
        return replace(subset(listing, data, split, classes), side_indices=indices, side_folder=folder)


def read_listing(root: Path, split: str) -> Listing:
    """All images of `split` below `root`: from its index, or by a look at every folder, which an index then keeps."""
    layout = find_layout(root)
    if found := index.find(root, split, layout):
        return found[1]
    since = time.time()
    listing = list_anew(root, split, layout)
    if listing.depends and index.is_settled(listing, since):
        with suppress(OSError, UserError):  # it only saves time; `cnnbench data index` says why it cannot be written
            index.keep_in_cache(listing, root, split, layout)
    return listing


def find_layout(root: Path) -> str:
    """The key in LAYOUTS of the layout of `root`."""
    with foreign(root), _readable(root):
        return next((name for name, layout in LAYOUTS.items() if layout.recognises(root)), "class folders")


def list_anew(root: Path, split: str, layout: str) -> Listing:
    """All images of `split` below `root`, by a look at every folder."""
    with foreign(f"{root}, as {layout},"), _readable(root):
        return LAYOUTS[layout].list_images(root, split)


@contextmanager
def _readable(root: Path) -> Iterator[None]:
    """Turn what the system says of a folder that cannot be read, or is gone, into a UserError."""
    try:
        yield
    except OSError as error:
        gone = isinstance(error, FileNotFoundError) and not root.exists()
        why = "there is no such folder (any more); data=PATH says where it is now" if gone else error.strerror or error
        raise UserError(f"cannot read {error.filename or root}: {why}") from error
