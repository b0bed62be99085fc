"""Where the images of a data set are, and which class each belongs to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.data.sample import sample_folder
from cnnbench.errors import UserError, nearest

SPLIT_FOLDERS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test")}
IMAGE_ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")


@dataclass(frozen=True)
class Split:
    """The images of one split as flat arrays, which forked workers share without copying.

    `names` holds the paths below `root`, UTF-8, back to back; image i is names[ends[i - 1]:ends[i]]. `labels` are
    int64 (n,), indices into `classes`.
    """

    root: Path
    classes: tuple[str, ...]
    names: np.ndarray
    ends: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        start = self.ends[index - 1] if index else 0
        return os.path.join(self.root, os.fsdecode(self.names[start : self.ends[index]].tobytes()))


def data_folder(path: str) -> Path:
    """The folder that `path` stands for: itself, or the unpacked bundled sample for "sample"."""
    return sample_folder() if path == "sample" else Path(path).expanduser().absolute()


def read_split(path: str, split: str, classes: Sequence[str] | None = None) -> Split:
    """The images of `split` ("train" or "val") of the data set at `path`, in the sorted order of classes and files.

    `classes`: the known classes, in the order of their labels; by default those of the split itself, sorted (for
    ILSVRC's WordNet ids that is the usual order). A class folder that is not among them is an error.
    """
    root = data_folder(path)
    folder = _split_folder(root, split)
    found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise UserError(f"{folder} has no class folders: it needs a folder per class with that class's images")
    classes = tuple(classes) if classes is not None else tuple(found)
    label_of = {name: label for label, name in enumerate(classes)}
    for name in found:
        if name not in label_of:
            raise UserError(f"{folder} has the class '{name}', which is not one of the {len(classes)} classes known")
    files = {name: _images(folder / name) for name in found}
    names = [os.fsencode(os.path.join(name, file)) for name in found for file in files[name]]
    if not names:
        raise UserError(f"{folder} has no images in its class folders: it looks for {', '.join(IMAGE_ENDINGS)}")
    labels = np.repeat([label_of[name] for name in found], [len(files[name]) for name in found])
    return Split(
        root=folder,
        classes=classes,
        names=np.frombuffer(b"".join(names), np.uint8),
        ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        labels=labels.astype(np.int64),
    )


def _split_folder(root: Path, split: str) -> Path:
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    try:
        folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error
    hint = nearest(SPLIT_FOLDERS[split][0], folders)
    seen = f"it has {', '.join(folders[:5])}{' ...' if len(folders) > 5 else ''}" if folders else "it has no folders"
    raise UserError(f"{root} has no {SPLIT_FOLDERS[split][0]}/ folder{hint}: {seen}")


def _images(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.name.lower().endswith(IMAGE_ENDINGS))
