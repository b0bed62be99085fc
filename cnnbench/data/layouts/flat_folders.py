"""Folders of images without class folders, train and val, or one that is a val split by itself: classes by a list, or
by the WordNet ids that the names of the files have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.account import account_of
from cnnbench.data.layouts.class_folders import split_folder
from cnnbench.data.layouts.ground_truth import WORDNET_ID_IN_NAME, find_list, label_images
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.scan import (
    DEEPER,
    ENDING,
    NAMED_AS_IMAGE,
    SPLIT_FOLDERS,
    has_images,
    images_below,
    is_image,
    look,
)
from cnnbench.data.storage.files import Files, pack_names


def recognises(root: Path) -> bool:
    return any(split_is_flat(root, split) for split in SPLIT_FOLDERS) or _is_bare(root)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in the order of their names."""
    if split == "val" and _is_bare(root):
        return list_flat(root, (root,), split)
    folder = flat_folder(root, split) or split_folder(root, split)
    return list_flat(folder, (root, folder.parent, folder), split)


def folder_of(root: Path, split: str) -> Path | None:
    """The folder of `split` below `root`, or None."""
    return next((root / name for name in SPLIT_FOLDERS[split] if (root / name).is_dir()), None)


def flat_folder(root: Path, split: str) -> Path | None:
    """The folder with the images of `split`, if it is flat; or images/ in it, if it has nothing else but a list, as in
    Tiny ImageNet."""
    folder = folder_of(root, split)
    if folder is None or is_flat(folder):
        return folder
    inner = folder / "images"
    alone = inner.is_dir() and look(folder).folders == [inner.name] and is_flat(inner)
    return inner if alone and find_list((folder,), split) is not None else None


def split_is_flat(root: Path, split: str) -> bool:
    """Whether the images of `split` below `root` lie in one folder."""
    return flat_folder(root, split) is not None


def is_flat(folder: Path) -> bool:
    """Whether `folder` has images, and no folder in it has any."""
    if not folder.is_dir() or not has_images(folder):
        return False
    return not any(has_images(folder / name) for name in look(folder).folders)


def list_flat(folder: Path, places: Sequence[Path], split: str, own: Sequence[str] = ()) -> Listing:
    """The images of a flat `folder` in the order of their names, classes by the list found in one of `places`, by the
    class folders `own` of train, or by the names."""
    here = look(folder)
    labelled = label_images(here.images, places, split, own)
    names = [plain(name) for name in labelled.classes]
    classes, labels = np.unique(np.array(names, dtype=object), return_inverse=True)
    as_images = [name for name in here.folders if is_image(name)]
    below = images_below(folder) if here.folders else []
    if labelled.source in (unused := {folder / name: name for name in here.left_out.get(ENDING, ())}):
        here.left_out[ENDING].remove(unused[labelled.source])
    account = account_of([here.left_out, {NAMED_AS_IMAGE: as_images, DEEPER: below}]) + labelled.account
    depends = (str(folder), *([str(labelled.source)] if labelled.source else []))
    prints = ((str(folder), here.fingerprint),)
    storage = Files(str(folder), pack_names(here.images))
    source = f"{folder} (classes by {labelled.source})" if labelled.source else str(folder)
    return Listing(source, tuple(classes.tolist()), labels, storage, depends, prints, account)


def _is_bare(root: Path) -> bool:
    """Whether `root` itself is flat, and its images are named by WordNet ids."""
    if any(folder_of(root, split) for split in SPLIT_FOLDERS) or not is_flat(root):
        return False
    return all(WORDNET_ID_IN_NAME.search(name) for name in look(root).images)
