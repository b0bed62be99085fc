"""MNIST, and the data sets in its form, from their four original idx files, gzipped or not.

Format: yann.lecun.com/exdb/mnist. The files of Fashion-MNIST have the same names; its labels tell it from MNIST.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.listing import Listing, sorted_classes
from cnnbench.data.storage.files import Pixels
from cnnbench.runtime.errors import UserError, reason

LARGEST = 1 << 32  # bytes; MNIST has 47 million, and the largest set in its form 650 million
STEMS = {"train": "train", "val": "t10k"}
# The first labels of each split of Fashion-MNIST, and the names of its classes as in the bundled sample.
FASHION_LABELS = {"train": bytes([9, 0, 0, 3, 0, 2, 7, 2]), "val": bytes([9, 2, 1, 1, 6, 1, 4, 6])}
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot")


def recognises(root: Path) -> bool:
    return any(_find(root, split, "labels", 1) for split in STEMS)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in the order of the file; digits are classes named '0' to '9'."""
    image_file, label_file = _find(root, split, "images", 3), _find(root, split, "labels", 1)
    if image_file is None or label_file is None:
        files = {"images-idx3-ubyte": image_file, "labels-idx1-ubyte": label_file}
        lacking = [f"{STEMS[split]}-{name}" for name, file in files.items() if file is None]
        raise UserError(f"{root} has no {' and no '.join(lacking)}, gzipped or not")
    pixels, labels = _read(image_file), _read(label_file)
    if pixels.ndim != 3 or labels.shape != pixels.shape[:1]:
        raise UserError(f"{label_file} has {len(labels)} labels for the {len(pixels)} images of {image_file.name}")
    fashion = labels[:8].tobytes() == FASHION_LABELS[split]
    names = FASHION if fashion else [str(digit) for digit in range(int(labels.max(initial=0)) + 1)]
    classes, labels = sorted_classes(names, labels)
    depends = (str(image_file), str(label_file))
    return Listing(str(root), classes, labels, Pixels(pixels[..., None], str(image_file)), depends)


def _find(root: Path, split: str, content: str, dimensions: int) -> Path | None:
    """The file of one split and kind: in `root`, or in raw/ below it, where torchvision puts it."""
    stem = f"{STEMS[split]}-{content}"
    names = [f"{stem}{mark}idx{dimensions}-ubyte{ending}" for mark in "-." for ending in ("", ".gz")]
    paths = (folder / name for folder in (root, root / "raw") for name in names)
    return next((path for path in paths if path.is_file()), None)


def _read(file: Path) -> np.ndarray:
    """The uint8 array in an idx file."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else open(file, "rb") as opened:
            start = opened.read(4)
            if start[:3] != b"\0\0\x08":
                raise ValueError("it is not an idx file of bytes")
            shape = np.frombuffer(opened.read(4 * start[3]), ">u4", start[3]).tolist()
            if (needed := math.prod(shape)) > LARGEST:
                raise ValueError(f"it says that it has {needed:,} bytes of values, more than {LARGEST:,}")
            values = opened.read(needed + 1)  # and no further, however much a few packed bytes become
        if (given := len(values)) != needed:
            more = "more" if given > needed else f"{given:,}"
            raise ValueError(f"it should have {needed:,} bytes of values, and has {more}: fetch it anew")
        return np.frombuffer(values, np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise UserError(f"{file} cannot be read: {reason(error)}") from error
