"""The class of each image of a flat folder, from the lists that ILSVRC comes with or a CSV of (file, class).

Two numberings are in use and differ: the devkit's ground truth counts ILSVRC2012_ID from 1, a line per image in the
order of the file names; lists of (file, number), as Caffe's val.txt, count the sorted WordNet ids from 0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePath

from cnnbench.data.layouts import ilsvrc
from cnnbench.data.layouts.class_folders import is_image
from cnnbench.data.layouts.devkit import read_ground_truth
from cnnbench.runtime.errors import UserError, reason

# In the order of preference, in each folder that is looked into.
PATTERNS = (
    "LOC_val_solution.csv",
    "*validation_ground_truth.txt",
    "*devkit*.tar*",
    "*val*.csv",
    "*val*.txt",
    "labels.csv",
)


def find_list(folders: Sequence[Path]) -> Path:
    """The list for a flat folder, in one of `folders` or a devkit unpacked there. UserError if there is none."""
    for folder in folders:
        names = sorted(name for name in os.listdir(folder) if not is_image(name))
        kits = [path for name in names if "devkit" in name and (path := folder / name / "data").is_dir()]
        files = [folder / name for name in names] + [path for kit in kits for path in sorted(kit.iterdir())]
        for pattern in PATTERNS:
            for path in files:
                if fnmatch(path.name, pattern) and path.is_file():
                    return path
    raise UserError(
        f"{folders[-1]} has images without class folders, and {folders[0]} no list of their classes: put the devkit's "
        "ILSVRC2012_validation_ground_truth.txt, LOC_val_solution.csv or a CSV of (file, class) named val.csv beside it"
    )


def classes_of(images: Sequence[str], source: Path) -> list[str]:
    """The class of each of `images` (file names, sorted), by the list `source`. UserError if they do not fit."""
    lines = [line.strip() for line in _text(source).splitlines() if line.strip()]
    rows = [line.split(",") if "," in line else line.split() for line in lines]
    if all(len(row) == 1 for row in rows):
        if len(rows) != len(images):
            raise UserError(f"{source} has {len(rows)} lines, but there are {len(images)} images: it has to fit them")
        return [_class(row[0], ilsvrc.official_order(), 1, source) for row in rows]
    by_stem = {PurePath(row[0]).stem: row[1] for row in rows if len(row) > 1}
    missing = [image for image in images if PurePath(image).stem not in by_stem]
    if missing:
        raise UserError(f"{source} has no class for {len(missing)} of {len(images)} images, the first is {missing[0]}")
    by_label = tuple(ilsvrc.class_names())
    return [_class(by_stem[PurePath(image).stem], by_label, 0, source) for image in images]


def _class(word: str, numbering: Sequence[str], first: int, source: Path) -> str:
    """What a list says of one image: a number that counts `numbering` from `first`, a WordNet id, or another name."""
    word = word.strip()
    if word.isdecimal():
        if first <= int(word) < first + len(numbering):
            return numbering[int(word) - first]
        last = first + len(numbering) - 1
        raise UserError(f"{source} has the class number {word}: it should be a number from {first} to {last}")
    wordnet_id = ilsvrc.WORDNET_ID.match(word)  # a box may follow it, as in LOC_val_solution.csv
    return wordnet_id[0] if wordnet_id else word


def _text(source: Path) -> str:
    """The text of a list, also inside the devkit as it is downloaded."""
    if ".tar" in source.suffixes:
        return read_ground_truth(source)
    try:
        return source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source} cannot be read: {reason(error)}") from error
