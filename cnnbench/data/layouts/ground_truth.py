"""The class of each image of a flat folder: from the lists that ILSVRC comes with, from a list of (file, class), or
from the WordNet ids that the names of the files have.

Two numberings are in use and differ: the devkit's ground truth counts ILSVRC2012_ID from 1, a line per image in the
order of the file names; lists of (file, number), as Caffe's val.txt, count the sorted WordNet ids from 0. Where the
training images lie in class folders of other names, numbers are those names, or else count them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from cnnbench.data.layouts import ilsvrc, lists
from cnnbench.data.layouts.account import KEPT, Account, LeftOut
from cnnbench.data.layouts.columns import is_header, number_of
from cnnbench.data.layouts.devkit import read_ground_truth
from cnnbench.data.layouts.names import Lookup
from cnnbench.data.layouts.naming import Listed, may_name
from cnnbench.data.layouts.scan import SPLIT_FOLDERS, is_image
from cnnbench.runtime.errors import UserError, nearest

# In the order of preference, in each folder that is looked into; in any case.
PATTERNS = {
    "train": ("*train*.csv", "*train*.tsv", "*train*.json", "*train*.jsonl", "*train*.txt", "labels.*", "metadata.*"),
    "val": (
        *("loc_val_solution.csv", "*validation_ground_truth.txt", "*devkit*.tar*"),
        *("*val*.csv", "*val*.tsv", "*val*.json", "*val*.jsonl", "*val*.txt", "*test*.csv", "labels.*"),
        "metadata.*",  # of Hugging Face's image folders
    ),
}
LIST_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".tar", ".gz")
UNREAD_ENDINGS = (".xlsx", ".xls", ".ods", ".gz", ".zip", ".bz2", ".xz", ".xml", ".yaml", ".yml", ".mat", ".pkl")
WORDNET_ID_IN_NAME = re.compile(r"(?:^|_)(n\d{8})(?=[_.])")  # n01440764_18.JPEG, ILSVRC2012_val_00000293_n01440764.JPEG
NO_CLASS = ("", "nan")  # what is left empty, by hand and by pandas
DUPLICATES, WITHOUT_IMAGE = "repeated lines of the list", "lines of the list without an image"


@dataclass(frozen=True)
class Labelled:
    """The class of each image, and what there is to say of the list that they come from; `source`: its file, if any."""

    classes: list[str]
    source: Path | None
    account: Account = Account()


def label_images(images: Sequence[str], folders: Sequence[Path], split: str, own: Sequence[str]) -> Labelled:
    """The class of each of `images` (file names, sorted) of the folder `folders[-1]`: by a list found in one of
    `folders`, or by the WordNet ids in all their names, which count for more than a list without names.

    `own`: the class folders of the training images, [] where there are none. UserError if no list fits.
    """
    named = [match[1] if (match := WORDNET_ID_IN_NAME.search(image)) else "" for image in images]
    source, choice = _chosen(folders, split)
    if source is None and not all(named):
        raise UserError(
            f"{folders[-1]} has images without class folders, and {folders[0]} has no list of their classes: put the "
            f"devkit's ILSVRC2012_validation_ground_truth.txt, LOC_val_solution.csv or a CSV of (file, class) named "
            f"{split}.csv beside it{_unread(folders, split)}"
        )
    if source is None:
        return Labelled(named, None)
    table = _table(source)
    if _by_order(table, own):
        if all(named):
            return Labelled(named, None)
        ordered = _in_order(table, images, source, own)
        return replace(ordered, account=ordered.account + choice)
    found = _by_name(table, images, folders[-1], source, own)
    if found is None and all(named):
        return Labelled(
            named, None, Account(notes=(f"{source.name} names none of the images: classes by their names",))
        )
    if found is None:
        raise UserError(
            f"{source} names none of the {len(images)} images, the first of which is {images[0]}: write FILE,CLASS on "
            f"each line; its first line is '{table.first()}'"
        )
    return replace(found, account=found.account + choice)


def find_list(folders: Sequence[Path], split: str) -> Path | None:
    """The list for a flat folder, in one of `folders` or a devkit unpacked there; None if there is none."""
    return next(_lists(folders, split), None)


def _lists(folders: Sequence[Path], split: str) -> Iterator[Path]:
    """All lists that may be of a flat folder, the preferred one first."""
    for folder in dict.fromkeys(folders):
        names = sorted(name for name in os.listdir(folder) if not is_image(name) and not name.startswith("."))
        kits = [path for name in names if "devkit" in name and (path := folder / name / "data").is_dir()]
        files = [folder / name for name in names] + [path for kit in kits for path in sorted(kit.iterdir())]
        for pattern in PATTERNS[split]:
            for path in files:
                name = path.name.lower()
                if fnmatch(name, pattern) and name.endswith(LIST_ENDINGS) and path.is_file():
                    yield path


def _unread(folders: Sequence[Path], split: str) -> str:
    """A phrase on a file that looks like a list, but is of a form that is not read."""
    words = ("label", "metadata", *SPLIT_FOLDERS[split])
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.iterdir()):
            name = path.name.lower()
            if name.endswith(UNREAD_ENDINGS) and any(word in name for word in words) and path.is_file():
                return f"; {path} is not read: save it as CSV"
    return ""


def _chosen(folders: Sequence[Path], split: str) -> tuple[Path | None, Account]:
    """The list for a flat folder, and, where it is not the only one, which one it is."""
    found = list(dict.fromkeys(_lists(folders, split)))
    others = [path.name for path in found[1:]]
    notes = (f"classes by the list {found[0].name}, not by {', '.join(others)}",) if others else ()
    return next(iter(found), None), Account(notes=notes)


def _by_order(table: lists.Table, own: Sequence[str]) -> bool:
    """Whether a list has classes alone, without the names of files: a word on each line, or a class of `own`."""
    known, rows = Lookup(own), table.parses[-1]
    if len(table.parses) > 1 or any(len(row) > 1 for row in rows):
        return False
    return all(len(row[0].split()) == 1 for row in rows) or all(known(row[0]) is not None for row in rows)


def _in_order(table: lists.Table, images: Sequence[str], source: Path, own: Sequence[str]) -> Labelled:
    """Classes by the order of the names of the files."""
    words, names = [row[0] for row in table.parses[-1]], may_name(images)
    if any(map(names, words)):
        raise UserError(f"{source} has names of files, and no class beside them: write FILE,CLASS on each line")
    if len(words) == len(images) + 1 and is_header(words[0]):
        words = words[1:]
    if len(words) != len(images):
        raise UserError(f"{source} has {len(words)} lines, but there are {len(images)} images: it has to fit them")
    to_class = _numbering(words, own, ilsvrc.official_order(), 1, source)
    notes = table.notes + _guess(words, own, source)
    return Labelled([to_class(word) for word in words], source, Account(notes=notes))


def _by_name(
    table: lists.Table, images: Sequence[str], folder: Path, source: Path, own: Sequence[str]
) -> Labelled | None:
    """Classes by the names of the files; None where no line names an image."""
    known = Lookup(own)

    def is_class(word: str) -> bool:
        return known(word) is not None or ilsvrc.WORDNET_ID.fullmatch(word) is not None

    pairs, said = lists.pairs(table, may_name(images), is_class)
    listed = Listed(pairs, str(source))
    found = listed.find_all([f"{folder.name}/{image}" for image in images])
    missing = [image for image, name in zip(images, found, strict=True) if name is None]
    if len(missing) == len(images):
        return None
    if missing:
        hint = nearest(missing[0], [name for name, _ in pairs])
        raise UserError(
            f"{source} has no class for {len(missing)} of {len(images)} images, the first is {missing[0]}{hint}"
        )
    words = [listed.values[name] for name in found if name is not None]
    to_class = _numbering(words, own, tuple(ilsvrc.class_names()), 0, source)
    unused = [name for name, _ in pairs if name not in listed.used]
    left_out = [LeftOut(WITHOUT_IMAGE, len(unused), tuple(unused[:KEPT]))] if unused else []
    left_out += [LeftOut(DUPLICATES, listed.repeated)] if listed.repeated else []
    notes = table.notes + said + _guess(words, own, source)
    return Labelled([to_class(word) for word in words], source, Account(tuple(left_out), notes))


def _numbering(
    words: Sequence[str], own: Sequence[str], numbering: Sequence[str], first: int, source: Path
) -> Callable[[str], str]:
    """What a list's words for classes mean: a class of `own`, a WordNet id, a number, or another name.

    Numbers are the names of `own` class folders that are numbers; else they count those, from 0, unless they are
    ILSVRC's; else they count `numbering` from `first`.
    """
    known = Lookup(own)
    counted = {int(name): name for name in own if name.isdecimal()}
    if _own_numbers(own):
        counted = dict(enumerate(sorted(own)))
    counted = counted or dict(enumerate(numbering, first))

    def to_class(word: str) -> str:
        word = word.strip()
        if found := known(word):
            return found
        if word.casefold() in NO_CLASS:
            raise UserError(f"{source} has a line with the class '{word}': write the class of each image, or remove it")
        word = number_of(word)
        if word.isdecimal():
            if int(word) in counted:
                return counted[int(word)]
            raise UserError(
                f"{source} has the class number {word}: it should be a number from {min(counted)} to {max(counted)}"
            )
        wordnet_id = ilsvrc.WORDNET_ID.match(word)  # a box may follow it, as in LOC_val_solution.csv
        return wordnet_id[0] if wordnet_id else word

    return to_class


def _own_numbers(own: Sequence[str]) -> bool:
    """Whether numbers count the class folders `own`: neither numbers themselves, nor ILSVRC's."""
    return bool(own) and not all(name.isdecimal() for name in own) and not ilsvrc.only_ilsvrc(own)


def _guess(words: Sequence[str], own: Sequence[str], source: Path) -> tuple[str, ...]:
    known = Lookup(own)
    others = [number_of(word.strip()) for word in words if known(word.strip()) is None]
    counts = _own_numbers(own) and any(map(str.isdecimal, others))
    return (f"the numbers of {source.name} count the class folders of train from 0",) if counts else ()


def _table(source: Path) -> lists.Table:
    """A list, also inside the devkit as it is downloaded."""
    if ".tar" in source.suffixes:
        return lists.parse_table(read_ground_truth(source).encode(), str(source))
    return lists.read_table(source, str(source))
