"""Class folders: train/ and val/ (or the usual other names), each with a folder of images per class.

A folder that holds class folders named by WordNet ids itself, without train/ or val/ above them, is a val split.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.ilsvrc import WORDNET_ID
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError, nearest
from cnnbench.runtime.progress import tqdm

SPLIT_FOLDERS = {
    "train": ("train", "training", "ILSVRC2012_img_train"),
    "val": ("val", "valid", "validation", "ILSVRC2012_img_val", "test"),
}
IMAGE_ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")
THREADS = 16  # a scan waits for the disk or the network, so more than there are cores


def recognises(root: Path) -> bool:
    return any((root / name).is_dir() for names in SPLIT_FOLDERS.values() for name in names) or _is_bare(root)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`, in the sorted order of classes and files."""
    return list_folder(split_folder(root, split))


def list_folder(folder: Path) -> Listing:
    """The images in the class folders of `folder`, in the sorted order of classes and files."""
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise UserError(f"{folder} has no class folders: it needs a folder per class with that class's images")
    with ThreadPoolExecutor(THREADS) as pool:
        scans = pool.map(lambda name: _scan(folder, name), classes)
        found = list(listing_progress(scans, len(classes), f"listing {folder}", "folder"))
    files = [images for images, _ in found]
    if not any(files):
        raise UserError(f"{folder} has no images in its class folders: it looks for {', '.join(IMAGE_ENDINGS)}")
    names = pack_names([name for images in files for name in images])
    labels = np.repeat(np.arange(len(classes)), [len(images) for images in files])
    looked_into = [str(folder / name) for _, folders in found for name in folders]
    return Listing(str(folder), tuple(classes), labels, Files(str(folder), names), (str(folder), *looked_into))


def split_folder(root: Path, split: str) -> Path:
    """The folder of `split` below `root`; UserError, with what there is, if there is none."""
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    if root.is_file():
        raise UserError(f"{root} is a file: give the folder that holds train/ and val/")
    if split == "val" and _is_bare(root):
        return root
    try:
        folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror}") from error
    hint = nearest(SPLIT_FOLDERS[split][0], folders)
    seen = f"it has {', '.join(folders[:5])}{' ...' if len(folders) > 5 else ''}" if folders else "it has no folders"
    raise UserError(f"{root} has no {SPLIT_FOLDERS[split][0]}/ folder{hint}: {seen}")


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image; hidden files, such as those that macOS leaves, do not count."""
    return name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")


def listing_progress(steps, total: int, title: str, unit: str) -> tqdm:
    """`steps` with a bar on a terminal, in one process of a group, once they have taken a second."""
    leads = os.environ.get("RANK", "0") == "0"
    return tqdm(steps, title, total, unit=unit, delay=1, leave=False, disable=None if leads else True)


def _is_bare(root: Path) -> bool:
    """Whether `root` has no train/ or val/, but class folders named by WordNet ids."""
    if not root.is_dir() or any((root / name).is_dir() for names in SPLIT_FOLDERS.values() for name in names):
        return False
    return any(WORDNET_ID.fullmatch(entry.name) and entry.is_dir() for entry in os.scandir(root))


def _scan(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """The images of class folder `name` and the folders that they were looked for in, sorted, relative to `folder`.

    A class folder named by a WordNet id that has no images of its own may hold them in folders below it.
    """
    entries = list(os.scandir(folder / name))
    images = sorted(os.path.join(name, entry.name) for entry in entries if is_image(entry.name))
    if images or not WORDNET_ID.fullmatch(name):
        return images, [name]
    below = [_scan(folder, os.path.join(name, entry.name)) for entry in entries if entry.is_dir()]
    return (
        sorted(image for images, _ in below for image in images),
        [name, *(looked for _, folders in below for looked in folders)],
    )
