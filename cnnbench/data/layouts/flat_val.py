"""A val folder without class folders, with a list of its images' classes; train/ has class folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnbench.data.layouts import class_folders
from cnnbench.data.layouts.class_folders import SPLIT_FOLDERS, is_image, split_folder
from cnnbench.data.layouts.ground_truth import classes_of, find_list
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.storage.files import Files, pack_names


def recognises(root: Path) -> bool:
    folder = next((root / name for name in SPLIT_FOLDERS["val"] if (root / name).is_dir()), None)
    return folder is not None and is_flat(folder)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`: train by class and file, val by file."""
    if split == "train":
        return class_folders.list_images(root, split)
    folder = split_folder(root, split)
    return list_flat(folder, (root, folder))


def is_flat(folder: Path) -> bool:
    """Whether `folder` has images and no folders."""
    if not folder.is_dir():
        return False
    images = False
    for entry in os.scandir(folder):
        if entry.is_dir() and not entry.name.startswith("."):
            return False
        images = images or is_image(entry.name)
    return images


def list_flat(folder: Path, places: Sequence[Path]) -> Listing:
    """The images of a flat `folder` in the order of their names, classes by the list found in one of `places`."""
    source = find_list(places)
    images = sorted(name for name in os.listdir(folder) if is_image(name))
    classes, labels = np.unique(classes_of(images, source), return_inverse=True)
    storage = Files(str(folder), pack_names(images))
    return Listing(str(folder), tuple(classes.tolist()), labels, storage, (str(folder), str(source)))
