"""ObjectNet as it is unpacked: images/ with a folder for each of 313 classes, and mappings/ with four files, by which
113 of them are one class of ILSVRC or several. Barbu et al.: ObjectNet (2019), objectnet.dev.

The images have a red border of two pixels, which is no part of them. Their licence forbids to train on them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.layouts.account import Account, LeftOut
from cnnbench.data.layouts.class_folders import list_folder
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError

BORDER = 2  # pixels on each side
TO_IMAGENET, FOLDERS = "objectnet_to_imagenet_1k.json", "folder_to_objectnet_label.json"
NUMBERS, LABELS = "pytorch_to_imagenet_2012_id.json", "imagenet_to_label_2012_v2"
OTHERS = "images of classes that ILSVRC lacks"


def recognises(root: Path) -> bool:
    return (root / "images").is_dir() and (root / "mappings" / TO_IMAGENET).is_file()


def list_images(root: Path, split: str) -> Listing:
    """The images of the classes that ILSVRC has; classes are called by their folders. Raises UserError for train."""
    if split == "train":
        raise UserError(f"{root} has ObjectNet's images, on which its licence forbids to train")
    found, answers = list_folder(root / "images"), right_answers(root)
    kept = np.array([name in answers for name in found.classes])
    classes = tuple(name for name, keep in zip(found.classes, kept, strict=True) if keep)
    numbers = np.flatnonzero(kept[found.labels])
    if not len(numbers):
        raise UserError(f"{root / 'images'} has no images of the {len(answers)} classes that ILSVRC has too")
    names = pack_names([os.path.relpath(found.storage.path(int(number)), "images") for number in numbers])
    labels = (np.cumsum(kept) - 1)[found.labels[numbers]]
    account = found.account + Account((LeftOut(OTHERS, len(found.labels) - len(numbers)),))
    folder = str(root / "images")
    return replace(found, classes=classes, labels=labels, storage=Files(folder, names), account=account)


def right_answers(root: Path) -> dict[str, tuple[str, ...]]:
    """Class folder -> the WordNet ids of ILSVRC's classes that are right for it. Raises UserError, ValueError."""
    ids = list(class_names())
    lines = (root / "mappings" / LABELS).read_text(encoding="utf-8").splitlines()
    number_of = {lines[int(line)].strip(): int(number) for number, line in _read(root, NUMBERS).items()}
    folder_of = {label: folder for folder, label in _read(root, FOLDERS).items()}
    found = {}
    for label, names in _read(root, TO_IMAGENET).items():
        unknown = [name for name in names.split("; ") if name not in number_of]
        if unknown or label not in folder_of:
            raise UserError(f"{root}/mappings/{TO_IMAGENET}: '{unknown[0] if unknown else label}' is not in the others")
        found[folder_of[label]] = tuple(ids[number_of[name]] for name in names.split("; "))
    return found


def _read(root: Path, name: str) -> Mapping[str, Any]:
    path = root / "mappings" / name
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a table of names")
    return content
