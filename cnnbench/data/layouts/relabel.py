"""Other labels for the images of a split than their folders say: label files, ImageNet-ReaL's, and lists of images to
leave out. Images are found by CLASS/FILE or FILE, or by the number of an ILSVRC validation image."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.layouts import ilsvrc
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError, nearest, reason

VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})\.")
PACKED = re.compile(r", image \d+ \((.*)\)$")  # how a packed file names an image of its own


def exclude(split: Split, path: str) -> Split:
    """`split` without the images that the file lists, one per line: names, or numbers of ILSVRC validation images, from
    1 (as the blacklist of ILSVRC2014's devkit, whose other 48,238 images the Inception papers report on)."""
    lines = {line.strip() for line in _read(path, "exclude").splitlines()} - {""}
    if lines and all(line.isdecimal() for line in lines):
        numbers = {int(line) for line in lines}
        drop = np.array([number in numbers for number in _validation_numbers(split, f"exclude={path}")])
    else:
        find = _finder(split, lines, f"exclude={path}")
        drop = np.array([find(index) is not None for index in range(len(split))])
    if not drop.any():
        raise UserError(
            f"exclude={path} names none of the {len(split):,} images, the first of which is {image_name(split, 0)}"
        )
    if drop.all():
        raise UserError(f"exclude={path} leaves no image of {len(split):,}")
    return _part(split, ~drop)


def relabel(split: Split, path: str, classes: Sequence[str]) -> tuple[Split, np.ndarray]:
    """`split` with the labels of a file, counted in `classes`, and all right answers for each image: int64 (n, most),
    rows with fewer answers repeating their first.

    The file is JSON: a list with a list of class numbers for each ILSVRC validation image (ImageNet-ReaL; an image
    without any is left out), or a dict {name: class}; or text, a line `name class` for each image. A class is a number
    or one of the names `classes`. UserError if an image has none.
    """
    key = f"labels={path}"
    text = _read(path, "labels")
    content = _parsed(text, key)
    if isinstance(content, list):
        answers = _by_number(split, content, classes, key)
    else:
        find = _finder(split, content, key)
        found = [find(index) for index in range(len(split))]
        missing = [index for index, name in enumerate(found) if name is None]
        if missing:
            raise UserError(
                f"{key} does not cover the images: it has no label for {len(missing):,} of {len(split):,}, the first "
                f"{image_name(split, missing[0])}; name images as FILE or CLASS/FILE"
            )
        label_of = {name: label for label, name in enumerate(classes)}
        answers = [[_class(content[name], label_of, key)] for name in found if name is not None]
    keep = np.array([len(row) > 0 for row in answers])
    if not keep.any():
        raise UserError(f"{key} has no label for any of the {len(split):,} images")
    kept = [row for row in answers if row]
    most = max(map(len, kept))
    targets = np.array([row + row[:1] * (most - len(row)) for row in kept], np.int64)
    return replace(_part(split, keep), classes=tuple(classes), labels=targets[:, 0].copy()), targets


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


def _parsed(text: str, key: str) -> list[Any] | dict[str, Any]:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise UserError(f"{key} is not JSON: {error}") from error
    content = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(r"[,\t]", line.strip()) if re.search(r"[,\t]", line) else line.rsplit(maxsplit=1)
        if line.strip():
            if len(words) != 2:
                raise UserError(f"{key}, line {number}: '{line.strip()}' is not an image's name and its class")
            content[words[0].strip()] = words[1].strip()
    return content


def _class(value: Any, label_of: dict[str, int], key: str) -> int:
    if str(value) in label_of:
        return label_of[str(value)]
    if str(value).isdecimal() and int(value) < len(label_of):
        return int(value)
    raise UserError(
        f"{key} has the class '{value}', which is neither one of the network's {len(label_of)}"
        f"{nearest(str(value), label_of)} nor a number below that"
    )


def _finder(split: Split, names: Any, key: str) -> Callable[[int], str | None]:
    """Image number -> which of `names` it has. UserError if one name without a folder belongs to two images."""
    owner: dict[str, int] = {}

    def find(index: int) -> str | None:
        tail = image_name(split, index)
        if tail in names:
            return tail
        name = tail.rpartition("/")[2]
        if name not in names:
            return None
        if owner.setdefault(name, index) != index:
            raise UserError(f"{key}: '{name}' could be {image_name(split, owner[name])} or {tail}: write CLASS/FILE")
        return name

    return find


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
    """CLASS/FILE of an image, or what there is of it."""
    name = split.name(index)
    packed = PACKED.search(name)
    return "/".join((packed[1] if packed else name).replace("\\", "/").split("/")[-2:])


def _part(split: Split, keep: np.ndarray) -> Split:
    return replace(split, labels=split.labels[keep], numbers=split.numbers[keep])


def _read(path: str, key: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}={path} cannot be read: {reason(error)}") from error
