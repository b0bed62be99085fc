"""What the layouts of archives share: images found in several archives become one listing, in sorted order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from cnnbench.data.layouts.account import Account
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import SPLIT_FOLDERS, fingerprint
from cnnbench.data.storage.files import pack_names
from cnnbench.data.storage.ranges import Ranges
from cnnbench.data.storage.remote import is_remote
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.parallel import progress

AT_ONCE = 16  # archives: reading headers is mostly waiting for a disk or a server

Item = TypeVar("Item")
Result = TypeVar("Result")


class Image(NamedTuple):
    """An image of class `wnid` (or another name), `length` bytes at `offset` of `archive`."""

    wnid: str
    name: str
    archive: str
    offset: int
    length: int


def listing(source: str, images: list[Image], form: str, account: Account) -> Listing:
    """`images` by class and then file name: the order that the same images have as class folders. `account`: what was
    left out."""
    if not images:
        raise UserError(f"{source} has no images")
    images = sorted(images, key=lambda image: (image.wnid, image.name.rpartition("/")[2], image.archive, image.offset))
    classes = tuple(dict.fromkeys(image.wnid for image in images))
    paths = list(dict.fromkeys(image.archive for image in images))
    label_of = {name: label for label, name in enumerate(classes)}
    file_of = {path: number for number, path in enumerate(paths)}
    storage = Ranges(
        pack_names(paths),
        np.array([file_of[image.archive] for image in images], np.int32),
        np.array([image.offset for image in images], np.int64),
        np.array([image.length for image in images], np.int64),
        pack_names([image.name for image in images]),
        form,
    )
    labels = np.array([label_of[image.wnid] for image in images], np.int64)
    local = {path for path in paths if not is_remote(path)}
    folders = {os.path.dirname(path) for path in local}
    prints = tuple((folder, fingerprint(os.listdir(folder))) for folder in sorted(folders))
    return Listing(source, classes, labels, storage, tuple(sorted(local | folders)), prints, account)


def unpacked(root: Path, split: str) -> bool:
    """Whether the images of `split` lie below `root` as class folders too: those come before archives left beside."""
    folders = [root / name for name in SPLIT_FOLDERS[split]]
    return any(entry.is_dir() for folder in folders if folder.is_dir() for entry in os.scandir(folder))


def at_once(what: str, look: Callable[[Item], Result], items: Iterable[Item], unit: str = "tars") -> list[Result]:
    """`look` at each of the archives `items`, several at a time, showing how far it is; results in their order."""
    items = list(items)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            with progress(what, len(items), unit) as advance:
                found = []
                for one in pool.map(look, items):
                    found.append(one)
                    advance()
                return found
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the first error is enough
            raise
