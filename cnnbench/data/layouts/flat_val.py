"""A val folder without class folders, with a list of its images' classes; train/ has class folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnbench.data.layouts import class_folders, flat_folders
from cnnbench.data.layouts.class_folders import split_folder
from cnnbench.data.layouts.flat_folders import is_flat, list_flat, split_is_flat
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import look


def recognises(root: Path) -> bool:
    return split_is_flat(root, "val") and not split_is_flat(root, "train")


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`: train by class and file, val by file."""
    if split == "train":
        return class_folders.list_images(root, split)
    folder = flat_folders.flat_folder(root, split) or split_folder(root, split)
    return list_labelled(folder, (root, folder.parent, folder), flat_folders.folder_of(root, "train"))


def list_labelled(folder: Path, places: Sequence[Path], train: Path | None) -> Listing:
    """The images of the flat val `folder`; their numbers, if the list has such, are of the class folders in `train`."""
    if train is None or is_flat(train):
        return list_flat(folder, places, "val")
    own = look(train)
    found = list_flat(folder, places, "val", own.folders)
    prints = (*found.fingerprints, (str(train), own.fingerprint))
    return replace(found, depends=(*found.depends, str(train)), fingerprints=prints)
