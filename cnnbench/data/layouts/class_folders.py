"""Class folders: train/ and val/ (or the usual other names), each with a folder of images per class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.listing import Listing
from cnnbench.data.storage import Files, pack_names
from cnnbench.errors import UserError, nearest

SPLIT_FOLDERS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test")}
IMAGE_ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")


def recognises(root: Path) -> bool:
    return any((root / name).is_dir() for names in SPLIT_FOLDERS.values() for name in names)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`, in the sorted order of classes and files."""
    folder = split_folder(root, split)
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise UserError(f"{folder} has no class folders: it needs a folder per class with that class's images")
    files = [_images(folder / name) for name in classes]
    if not any(files):
        raise UserError(f"{folder} has no images in its class folders: it looks for {', '.join(IMAGE_ENDINGS)}")
    names = pack_names([os.path.join(name, file) for name, found in zip(classes, files, strict=True) for file in found])
    labels = np.repeat(np.arange(len(classes)), [len(found) for found in files])
    return Listing(str(folder), tuple(classes), labels, Files(str(folder), names))


def split_folder(root: Path, split: str) -> Path:
    """The folder of `split` below `root`; UserError, with what there is, if there is none."""
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    if root.is_file():
        raise UserError(f"{root} is a file: give the folder that holds train/ and val/")
    try:
        folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error
    hint = nearest(SPLIT_FOLDERS[split][0], folders)
    seen = f"it has {', '.join(folders[:5])}{' ...' if len(folders) > 5 else ''}" if folders else "it has no folders"
    raise UserError(f"{root} has no {SPLIT_FOLDERS[split][0]}/ folder{hint}: {seen}")


def _images(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.name.lower().endswith(IMAGE_ENDINGS))
