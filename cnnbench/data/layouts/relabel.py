"""Other labels for the images of a split than their folders say: label files, ImageNet-ReaL's, and lists of images to
leave out. Images are found by CLASS/FILE or FILE, or by the number of an ILSVRC validation image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.layouts import ilsvrc, lists
from cnnbench.data.layouts.account import Account, LeftOut
from cnnbench.data.layouts.columns import is_header
from cnnbench.data.layouts.lists import column, read_table
from cnnbench.data.layouts.names import Lookup
from cnnbench.data.layouts.naming import Listed, may_name
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError, nearest

VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})[._]")


def exclude(split: Split, path: str) -> Split:
    """`split` without the images that the file lists, one per line or in a column: names, or numbers of ILSVRC
    validation images, from 1 (as the blacklist of ILSVRC2014's devkit, whose other 48,238 images the Inception papers
    report on)."""
    key = f"exclude={path}"
    table = read_table(Path(path).expanduser(), key)
    named = column(table, may_name(split.path(index) for index in range(len(split))))
    numbers = [word for word in named if not is_header(word)]
    if numbers and all(word.isdecimal() for word in numbers):
        chosen = {int(word) for word in numbers}
        drop = np.array([number in chosen for number in _validation_numbers(split, key)])
    else:
        found = _find_all(split, Listed([(name, "") for name in named], key), key)
        drop = np.array([name is not None for name in found])
    if not drop.any():
        raise UserError(f"{key} names none of the {len(split):,} images, the first of which is {image_name(split, 0)}")
    if drop.all():
        raise UserError(f"{key} leaves no image of {len(split):,}")
    return _part(split, ~drop, Account((LeftOut("images that exclude= names", int(drop.sum())),), table.notes))


def relabel(split: Split, path: str, classes: Sequence[str]) -> tuple[Split, np.ndarray]:
    """`split` with the labels of a file, counted in `classes`, and all right answers for each image: int64 (n, most),
    rows with fewer answers repeating their first.

    The file is JSON: a list with a list of class numbers for each ILSVRC validation image (ImageNet-ReaL; an image
    without any is left out), or a dict {name: class}; or text, a line `name class` for each image. A class is a number
    or one of the names `classes`. UserError if an image has none.
    """
    key = f"labels={path}"
    table = read_table(Path(path).expanduser(), key)
    known, notes = Lookup(classes), table.notes
    if table.answers is not None:
        answers = _by_number(split, table.answers, classes, key)
    else:
        is_name = may_name(split.path(index) for index in range(len(split)))
        pairs, said = lists.pairs(table, is_name, lambda word: known(word) is not None)
        notes += said
        if not pairs:
            line = next((" ".join(row) for row in table.parses[-1]), "")
            raise UserError(f"{key}, line 1: '{line}' is not an image's name and its class")
        listed = Listed(pairs, key)
        found = _find_all(split, listed, key)
        missing = [index for index, name in enumerate(found) if name is None]
        if missing:
            raise UserError(
                f"{key} does not cover the images: it has no label for {len(missing):,} of {len(split):,}, the first "
                f"{image_name(split, missing[0])}; name images as FILE or CLASS/FILE"
            )
        label_of = {name: label for label, name in enumerate(classes)}
        answers = [[_class(listed.values[name], label_of, known, key)] for name in found if name is not None]
    keep = np.array([len(row) > 0 for row in answers])
    if not keep.any():
        raise UserError(f"{key} has no label for any of the {len(split):,} images")
    kept = [row for row in answers if row]
    most = max(map(len, kept))
    targets = np.array([row + row[:1] * (most - len(row)) for row in kept], np.int64)
    none = len(keep) - int(keep.sum())
    account = Account((LeftOut("images without an answer in labels=", none),) if none else (), notes)
    return replace(_part(split, keep, account), classes=tuple(classes), labels=targets[:, 0].copy()), targets


def _by_number(split: Split, content: list[Any], classes: Sequence[str], key: str) -> list[list[int]]:
    """ImageNet-ReaL: class numbers of the field's 1000, for each validation image in the order of their numbers."""
    if not ilsvrc.only_ilsvrc(classes):
        raise UserError(f"{key} is for the classes of ILSVRC, and '{classes[0]}' is not one of them")
    wnids = list(ilsvrc.class_names())
    label_of = {name: label for label, name in enumerate(classes)}
    answers = []
    for number in _validation_numbers(split, key):
        if not 1 <= number <= len(content):
            raise UserError(
                f"{key} does not cover the images: it has {len(content):,} entries, none for image {number}"
            )
        try:
            names = [wnids[label] for label in content[number - 1]]
            if any(label < 0 for label in content[number - 1]):
                raise IndexError("a negative number")
        except (TypeError, IndexError) as error:
            raise UserError(f"{key} is not a list of lists of class numbers below {len(wnids)}: {error}") from error
        answers.append([label_of[name] for name in names if name in label_of])
    return answers


def _class(value: str, label_of: dict[str, int], known: Lookup, key: str) -> int:
    name = known(value)
    if name is not None:
        return label_of[name]
    if value.isdecimal() and int(value) < len(label_of):
        return int(value)
    raise UserError(
        f"{key} has the class '{value}', which is neither one of the network's {len(label_of)}"
        f"{nearest(value, label_of)} nor a number below that"
    )


def _find_all(split: Split, listed: Listed, key: str) -> list[str | None]:
    """The name that the list has for each image. UserError if one name could be that of two images."""
    found = listed.find_all([split.path(index) for index in range(len(split))])
    owner: dict[str, int] = {}
    for index, name in enumerate(found):
        if name is not None and owner.setdefault(name, index) != index:
            both = f"{image_name(split, owner[name])} or {image_name(split, index)}"
            raise UserError(f"{key}: '{name}' could be {both}: write CLASS/FILE")
    return found


def _validation_numbers(split: Split, key: str) -> list[int]:
    numbers = []
    for index in range(len(split)):
        match = VALIDATION.search(split.name(index))
        if match is None:
            raise UserError(
                f"{key} lists numbers of ILSVRC's validation images, and the name of {image_name(split, index)} "
                "has none: use a file with names"
            )
        numbers.append(int(match[1]))
    return numbers


def image_name(split: Split, index: int) -> str:
    """What results call an image: CLASS/FILE, with the folders between them if there are any, or SPLIT/FILE of a flat
    folder, ARCHIVE/FILE of an archive; another for each image."""
    path = split.path(index)
    return path.partition("/")[2] if path.count("/") > 1 else path


def _part(split: Split, keep: np.ndarray, account: Account) -> Split:
    numbers, labels = split.numbers[keep], split.labels[keep]
    return replace(split, labels=labels, numbers=numbers, account=split.account + account)
