"""ImageNet-V2's three forms: a folder for each class of ILSVRC, "0" to "999", alone or below val/. Recht, Roelofs,
Schmidt, Shankar: Do ImageNet Classifiers Generalize to ImageNet? (2019), github.com/modestyachts/ImageNetV2."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cnnbench.data.layouts.account import Account
from cnnbench.data.layouts.class_folders import list_folder
from cnnbench.data.layouts.flat_folders import folder_of
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.listing import Listing, sorted_classes
from cnnbench.runtime.errors import UserError

NUMBERS = frozenset(map(str, range(1000)))
NOTE = "folders 0 to 999 are ILSVRC's classes by number, as ImageNet-V2 has them"


def recognises(root: Path) -> bool:
    return root.is_dir() and folder_of(root, "train") is None and _numbered(folder_of(root, "val") or root)


def list_images(root: Path, split: str) -> Listing:
    """The images, with WordNet ids for classes. Raises UserError for train: there are test images alone."""
    if split == "train":
        raise UserError(f"{root} has ImageNet-V2's test images, and none to train on")
    found = list_folder(folder_of(root, "val") or root)
    ids = list(class_names())
    classes, labels = sorted_classes([ids[int(name)] for name in found.classes], found.labels)
    return replace(found, classes=classes, labels=labels, account=found.account + Account(notes=(NOTE,)))


def _numbered(folder: Path) -> bool:
    return {entry.name for entry in os.scandir(folder) if entry.is_dir()} == NUMBERS
