"""What lies in a folder: images, folders that may be classes, and what is neither, by reason.

An image is a regular file, or a link to one, with an ending that the decoders read: a folder, a pipe, a socket or a
device is none, whatever its name.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

THREADS = 16  # a scan waits for the disk or the network, so more than there are cores
SPLIT_FOLDERS = {
    "train": ("train", "training", "ILSVRC2012_img_train"),
    "val": ("val", "valid", "validation", "ILSVRC2012_img_val", "test"),
}
# All that the formats of decode/pillow_engine.py have, in any case; but .pfm, whose pixels are no bytes.
IMAGE_ENDINGS = (
    *(".jpeg", ".jpg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".avifs", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
)
# Made by operating systems, network disks and archive programs; in any case. Those with a dot in front are not listed.
SYSTEM_FOLDERS = frozenset(
    {
        *("__macosx", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found"),
        *("$recycle.bin", "recycler", "recycled", "system volume information", "__pycache__", "~snapshot"),
    }
)
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})

ENDING = "endings not taken"
BELOW = "files below a class folder"
DEEPER = "files in deeper folders"
BESIDE = "files beside the class folders"
HIDDEN = "hidden and system files"
NO_CLASS = "folders that are no classes"
EMPTY = "class folders without images"
DANGLING = "links to nothing"
LINKED = "links to folders in a class folder"
SPECIAL = "pipes, sockets and devices"
NAMED_AS_IMAGE = "folders named like images"
FOLDER, IMAGE = "folder", "image"


@dataclass
class Look:
    """Names, sorted; `left_out` by reason; `fingerprint`: of all names, see there."""

    images: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    fingerprint: int = 0


def look(folder: str | Path) -> Look:
    """What lies in `folder` itself. OSError if it cannot be read."""
    found, names = Look(), []
    for entry in os.scandir(folder):
        names.append(entry.name)
        kind = _kind(entry)
        if kind == IMAGE:
            found.images.append(entry.name)
        elif kind == FOLDER:
            found.folders.append(entry.name)
        else:
            found.left_out.setdefault(kind, []).append(entry.name)
    found.images.sort()
    found.folders.sort()
    found.fingerprint = fingerprint(names)
    return found


def fingerprint(names: Iterable[str]) -> int:
    """CRC-32 of the names of all that lies in a folder, in whatever order the system lists them."""
    return zlib.crc32(os.fsencode("\0".join(sorted(names))))


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image; hidden files, such as those that macOS leaves, do not count."""
    return name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")


def name_is_hidden(path: str) -> bool:
    """Whether the last part of `path` is the name of a hidden file, or of one that a system made."""
    name = path.rpartition("/")[2]
    return name.startswith(".") or name.casefold() in SYSTEM_FILES


def has_images(folder: str | Path) -> bool:
    """Whether an image lies in `folder` itself: the first one is enough."""
    return any(_kind(entry) == IMAGE for entry in os.scandir(folder) if is_image(entry.name))


def images_below(folder: str | Path) -> list[str]:
    """Paths, within `folder`, of the images in the folders below it, at any depth; links to folders are passed."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_system(name)]
        if place != str(folder):
            found += [os.path.relpath(os.path.join(place, name), folder) for name in files if is_image(name)]
    return sorted(found)


def is_system(name: str) -> bool:
    """Whether a folder's name is one that people do not give."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def _kind(entry: os.DirEntry) -> str:
    """IMAGE, FOLDER, or the reason why it is left out."""
    try:
        if is_image(entry.name) and entry.is_file():  # most are
            return IMAGE
        if entry.is_dir():
            return NO_CLASS if is_system(entry.name) else FOLDER
        if name_is_hidden(entry.name):
            return HIDDEN
        if entry.is_symlink() and not os.path.exists(entry.path):
            return DANGLING
        return SPECIAL if is_image(entry.name) else ENDING
    except OSError:  # a link that leads to itself
        return DANGLING
