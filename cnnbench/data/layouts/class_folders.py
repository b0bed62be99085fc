"""Class folders: train/ and val/ (or the usual other names), each with a folder of images per class.

A folder that holds class folders named by WordNet ids itself, without train/ or val/ above them, is a val split.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.account import Account, account_of
from cnnbench.data.layouts.ilsvrc import WORDNET_ID
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.scan import (
    BELOW,
    BESIDE,
    EMPTY,
    IMAGE_ENDINGS,
    LINKED,
    NAMED_AS_IMAGE,
    SPLIT_FOLDERS,
    THREADS,
    images_below,
    is_image,
    look,
)
from cnnbench.data.storage.files import Files, pack_names
from cnnbench.runtime.errors import UserError, nearest
from cnnbench.runtime.group import leads
from cnnbench.runtime.progress import tqdm

DIVIDED = "; class folders have to lie in train/ and val/"


def recognises(root: Path) -> bool:
    return any((root / name).is_dir() for names in SPLIT_FOLDERS.values() for name in names) or _is_bare(root)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split`, in the sorted order of classes and files."""
    folder = split_folder(root, split)
    found = list_folder(folder)
    notes = ("test/ is the validation split",) if folder.name == "test" else ()
    return replace(found, account=found.account + Account(notes=notes))


def list_folder(folder: Path) -> Listing:
    """The images in the class folders of `folder`, in the sorted order of classes and files.

    A folder without any image is no class, whatever its name; what is left out is in the account. Folders whose names
    differ in their normal form alone are one class, which has the name in form C.
    """
    top = look(folder)
    if not top.folders:
        raise UserError(f"{folder} has no class folders: it needs a folder per class with that class's images")
    order = sorted(top.folders, key=lambda name: (plain(name), name))
    with ThreadPoolExecutor(THREADS) as pool:
        scans = pool.map(lambda name: _scan(folder, name), order)
        found = list(listing_progress(scans, len(order), f"listing {folder}", "folder"))
    used = [(plain(name), scan) for name, scan in zip(order, found, strict=True) if scan.images]
    empty = [name for name, scan in zip(order, found, strict=True) if not scan.images]
    account = account_of([top.left_out, {BESIDE: top.images, EMPTY: empty}, *(scan.left_out for scan in found)])
    if not used:
        raise UserError(f"{folder} has no images in its class folders: {_looked_for(account)}")
    classes = tuple(dict.fromkeys(name for name, _ in used))
    label_of = {name: label for label, name in enumerate(classes)}
    names = pack_names([name for _, scan in used for name in scan.images])
    labels = np.repeat([label_of[name] for name, _ in used], [len(scan.images) for _, scan in used])
    prints = ((str(folder), top.fingerprint), *(one for scan in found for one in scan.fingerprints))
    depends = tuple(place for place, _ in prints)
    return Listing(str(folder), classes, labels, Files(str(folder), names), depends, prints, account)


def split_folder(root: Path, split: str) -> Path:
    """The folder of `split` below `root`; UserError, with what there is, if there is none; OSError if
    `root` cannot be read."""
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    if root.is_file():
        raise UserError(f"{root} is a file: give the folder that holds train/ and val/")
    if split == "val" and _is_bare(root):
        return root
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    name = SPLIT_FOLDERS[split][0]
    likely = [one for one in folders if any(word in one.casefold() for word in SPLIT_FOLDERS[split])]
    hint = (
        f" (rename {likely[0]}/, or link to it: ln -s {likely[0]} {root / name})" if likely else nearest(name, folders)
    )
    seen = f"it has {', '.join(folders[:5])}{' ...' if len(folders) > 5 else ''}" if folders else "it has no folders"
    raise UserError(f"{root} has no {name}/ folder{hint}: {seen}{'' if likely else DIVIDED}")


def listing_progress(steps: Iterable, total: int, title: str, unit: str) -> tqdm:
    """`steps` with a bar on a terminal, in one process of a group, once they have taken a second."""
    return tqdm(steps, title, total, unit=unit, delay=1, leave=False, disable=None if leads(os.environ) else True)


def _looked_for(account: Account) -> str:
    """What images end in, and what lies there instead."""
    said = account.in_words(0).partition(", ")[2]
    return f"{said}; it looks for {', '.join(IMAGE_ENDINGS)}"


def _is_bare(root: Path) -> bool:
    """Whether `root` has no train/ or val/, but class folders named by WordNet ids."""
    if not root.is_dir() or any((root / name).is_dir() for names in SPLIT_FOLDERS.values() for name in names):
        return False
    return any(WORDNET_ID.fullmatch(entry.name) and entry.is_dir() for entry in os.scandir(root))


@dataclass
class _Scan:
    """The images of a class folder; folders that they were looked for in, and what those had besides."""

    images: list[str] = field(default_factory=list)  # paths, sorted, within the folder of the split
    fingerprints: list[tuple[str, int]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)


def _scan(folder: Path, name: str) -> _Scan:
    """The images of class folder `name` of the split in `folder`.

    A class folder named by a WordNet id that has no images of its own may hold them in the folders below it.
    """
    place = folder / name
    here = look(place)
    left_out = {reason: [os.path.join(name, one) for one in names] for reason, names in here.left_out.items()}
    scan = _Scan([os.path.join(name, image) for image in here.images], [(str(place), here.fingerprint)], left_out)
    if as_images := [os.path.join(name, inner) for inner in here.folders if is_image(inner)]:
        scan.left_out[NAMED_AS_IMAGE] = as_images
    if here.images or not WORDNET_ID.fullmatch(name):
        if here.folders and (below := [os.path.join(name, image) for image in images_below(place)]):
            scan.left_out[BELOW] = below
        others = [inner for inner in here.folders if not is_image(inner)]
        if links := [os.path.join(name, inner) for inner in others if os.path.islink(place / inner)]:
            scan.left_out[LINKED] = links
        return scan
    for inner in here.folders:
        _add(scan, _scan(folder, os.path.join(name, inner)))
    scan.images.sort()
    return scan


def _add(scan: _Scan, below: _Scan) -> None:
    scan.images += below.images
    scan.fingerprints += below.fingerprints
    for reason, names in below.left_out.items():
        scan.left_out[reason] = scan.left_out.get(reason, []) + names
