"""The 1000 classes of ILSVRC2012: WordNet ids, readable names, and the numbers that the official lists use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

# A line per class, in the order of the ids, which is that of the field's labels: WordNet id, ILSVRC2012_ID, name.
TABLE = Path(__file__).with_name("ilsvrc_classes.tsv")
GROUPS = TABLE.with_name("ilsvrc_groups.tsv")  # number of the first class, kind of all up to the next
IMAGES = {"train": 1_281_167, "val": 50_000}  # of each split
IMAGES_PER_CLASS = {"train": (732, 1300), "val": (50, 50)}  # from, to
WORDNET_ID = re.compile(r"n\d{8}\b")


@cache
def class_names() -> dict[str, str]:
    """The readable name of each WordNet id, in the order of the labels of published weights."""
    return {wnid: name for wnid, _, name in _rows()}


def class_in_words(name: str) -> str:
    """The readable name of a class of ILSVRC, its first where there are several; another class's own name, whole."""
    readable = class_names().get(name)
    return name if readable is None else readable.partition(",")[0]


@cache
def official_order() -> tuple[str, ...]:
    """The WordNet ids by ILSVRC2012_ID: the devkit's ground truth says k where it means number k - 1 of these."""
    return tuple(wnid for wnid, _, _ in sorted(_rows(), key=lambda row: int(row[1])))


@cache
def first_of_groups() -> dict[int, str]:
    """Number of the first class of a stretch of one kind -> the kind, in order: WordNet's noun hierarchy above the
    classes, which the order of the ids follows, in words of our own."""
    lines = (line.split("\t") for line in GROUPS.read_text(encoding="utf-8").splitlines())
    return {int(first): name for first, name in lines}


def only_ilsvrc(classes: Iterable[str]) -> bool:
    """Whether all of `classes` are among the 1000."""
    return all(name in class_names() for name in classes)


def classes_in_words(classes: Sequence[str]) -> str:
    """What `classes` are: '1000 classes', '10 classes of ILSVRC's 1000', or '10 own classes'."""
    if not only_ilsvrc(classes):
        return f"{len(classes)} own classes"
    return f"{len(classes)} classes" + (
        "" if len(classes) == len(class_names()) else f" of ILSVRC's {len(class_names())}"
    )


def readable(name: str) -> str:
    """'n01440764 (tench)' for a class of ILSVRC, else `name` itself."""
    return f"{name} ({class_names()[name]})" if name in class_names() else name


def _rows() -> list[list[str]]:
    return [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
