"""ILSVRC as Kaggle distributes it: ILSVRC/Data/CLS-LOC/{train,val}, with val flat and LOC_val_solution.csv above it.

The files themselves are listed: what ImageSets/ and LOC_train_solution.csv say besides is not needed.
"""

from __future__ import annotations

from pathlib import Path

from cnnbench.data.layouts.class_folders import list_folder, split_folder
from cnnbench.data.layouts.flat_folders import folder_of, is_flat
from cnnbench.data.layouts.flat_val import list_labelled
from cnnbench.data.layouts.listing import Listing

IMAGES = Path("Data/CLS-LOC")


def recognises(root: Path) -> bool:
    return any((base / IMAGES).is_dir() for base in _bases(root))


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`: train by class and file, val by file (or as train, where it was sorted into folders)."""
    base = next(base for base in _bases(root) if (base / IMAGES).is_dir())
    folder = split_folder(base / IMAGES, split)
    if not is_flat(folder):
        return list_folder(folder)
    return list_labelled(folder, (base.parent, base, folder), folder_of(base / IMAGES, "train"))


def _bases(root: Path) -> tuple[Path, Path]:
    """`root` may be ILSVRC/ itself, or the folder that it lies in."""
    return root, root / "ILSVRC"
