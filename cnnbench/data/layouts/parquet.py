"""Parquet files as Hugging Face keeps image data sets, such as imagenet-1k: data/train-00000-of-00294-*.parquet with a
column image (a struct of bytes and path, or bytes) and a column label.

Labels are numbers of the class names that the files state (the features of `datasets`); of ILSVRC's, the sorted WordNet
ids. Numbers without names are of ILSVRC if the WordNet ids in the names of the images agree, all from 0 to 999 occur,
or there are as many files as of imagenet-1k; else they are names. A label below 0 is none, as in the test split.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.layouts.account import Account, LeftOut
from cnnbench.data.layouts.archived import at_once
from cnnbench.data.layouts.ground_truth import WORDNET_ID_IN_NAME
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.scan import fingerprint
from cnnbench.data.storage.files import pack_names
from cnnbench.data.storage.parquet import ParquetImages, field, open_parquet, told
from cnnbench.runtime.errors import UserError

ENDING = ".parquet"
WORDS = {"train": ("train", "training"), "val": ("validation", "val", "valid", "test")}  # the first that occurs counts
FOLDERS = ("data", "default", "snapshots/*", "snapshots/*/data")  # the last two: the cache of huggingface_hub
IMAGES = ("image", "img", "picture", "jpg", "photo")
LABELS = ("label", "labels", "fine_label", "class", "target", "cls", "category", "coarse_label")
OF_ILSVRC = re.compile(r"(train-\d+-of-00294|validation-\d+-of-00014|test-\d+-of-00028)\b")
WITHOUT_LABEL = "images without a label"


def recognises(root: Path) -> bool:
    return any(_files(root, split) for split in WORDS)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in the order of the files and their rows."""
    files = _files(root, split)
    if not files:
        raise UserError(
            f"{root} has no Parquet files of the {split} split, as {WORDS[split][0]}-00000-of-00001.parquet"
        )
    parts = at_once(f"reading the labels of {split}", _read, files, "files")
    if len({(part.column, part.label) for part in parts}) > 1:
        raise UserError(f"{files[0]} and others of its split have other columns: they are not one data set")
    labels = np.concatenate([part.labels for part in parts])
    names = [name for part in parts for name in part.names]
    if not len(labels):
        raise UserError(f"{files[0]} and others of its split have no rows: fetch them anew, or remove them")
    numbered = np.array([isinstance(label, int) and label < 0 for label in labels], bool)
    keep = np.flatnonzero(~numbered)
    if not len(keep):
        raise UserError(f"{files[0]} has no labels (all are below 0): it is a test split")
    name_of, notes = _names(parts[0].classes, labels[keep].tolist(), [names[row] for row in keep], files[0])
    classes, counted = np.unique(np.array([name_of[label] for label in labels[keep]], object), return_inverse=True)
    storage = ParquetImages(
        pack_names(files),
        np.repeat(np.arange(len(files), dtype=np.int32), [len(part.labels) for part in parts])[keep],
        np.concatenate([part.groups for part in parts])[keep],
        np.concatenate([part.rows for part in parts])[keep],
        pack_names([names[row] for row in keep]),
        parts[0].column,
    )
    notes += parts[0].notes
    left_out = (LeftOut(WITHOUT_LABEL, len(labels) - len(keep)),) if len(keep) < len(labels) else ()
    folders = sorted({os.path.dirname(file) for file in files})
    prints = tuple((folder, fingerprint(os.listdir(folder))) for folder in folders)
    depends = (*files, *folders)
    return Listing(f"{root} ({split})", tuple(classes), counted, storage, depends, prints, Account(left_out, notes))


def _files(root: Path, split: str) -> list[str]:
    """The Parquet files of `split`, by name or by folder, in one of the FOLDERS of `root`."""
    folders = [root, *(place for pattern in FOLDERS for place in sorted(root.glob(pattern)))]
    for word in WORDS[split]:
        named = re.compile(rf"{word}([-_.].*)?{re.escape(ENDING)}")
        for folder in folders:
            inner = folder / word
            found = [file for file in _parquet_in(folder) if named.fullmatch(file.name)] or _parquet_in(inner)
            if found:
                return [str(file) for file in sorted(found)]
    return []


def _parquet_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(ENDING) and entry.is_file()]


@dataclass(frozen=True)
class _Part:
    """What one file says: `labels` object (n,), int or str, -1 for none; `groups` and `rows` int32 (n,): where each
    image is; `classes`: the names that the labels count, if it states them."""

    column: str
    label: str
    labels: np.ndarray
    groups: np.ndarray
    rows: np.ndarray
    names: list[str]
    classes: list[str] | None
    notes: tuple[str, ...]


def _read(path: str) -> _Part:
    """All of a file but its images."""
    file = open_parquet(path)
    with told(path):
        schema, features = file.schema_arrow, _features(file.schema_arrow.metadata or {})
        image, named = _image_column(schema, path)
        label = _label_column(schema, features, path)
        table = file.read(columns=[label, *([named] if named else [])], use_threads=False)
        labels = np.array([_label(value) for value in table.column(label).to_pylist()], object)
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        paths = field(table, named).to_pylist() if named else [None] * len(labels)
    rows = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes] or [np.empty(0, np.int32)])
    names = [os.path.basename(one) if one else f"row {row}" for row, one in enumerate(paths)]
    if len(set(names)) < len(names):
        names = [f"row {row}" for row in range(len(names))]
    groups = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    others = [name for name in schema.names if name in LABELS and name != label]
    notes = (f"classes by the column {label}, not by {', '.join(others)}",) if others else ()
    return _Part(image, label, labels, groups, rows, names, features.get(label), notes)


def _label(value: Any) -> int | str:
    """A label as pyarrow gives it: -1 for none. ValueError for what is no label of one class."""
    if value is None or value != value:  # pandas has NaN in a column with gaps
        return -1
    if isinstance(value, str) or (isinstance(value, int | float) and value == int(value)):
        return value if isinstance(value, str) else int(value)
    raise ValueError(f"its labels are not numbers or names of classes, but {type(value).__name__}s")


def _features(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The class names of each column that has such, by the metadata of `datasets`."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except ValueError:
        return {}
    return {column: one["names"] for column, one in features.items() if isinstance(one, dict) and one.get("names")}


def _image_column(schema: Any, path: str) -> tuple[str, str | None]:
    """The column of the images' bytes, and that of their names, if there is one."""
    from pyarrow import types

    found: dict[str, tuple[str, str | None]] = {}
    for one in schema:
        if types.is_binary(one.type) or types.is_large_binary(one.type):
            found[one.name] = one.name, None
        elif types.is_struct(one.type):
            inner = [one.type.field(number).name for number in range(one.type.num_fields)]
            if "bytes" in inner:
                found[one.name] = f"{one.name}.bytes", f"{one.name}.path" if "path" in inner else None
    chosen = next((name for name in IMAGES if name in found), next(iter(found)) if len(found) == 1 else None)
    if chosen is None and schema.names and all(types.is_null(one.type) for one in schema):
        raise UserError(f"{path} has no rows: fetch it anew, or remove it")
    if chosen is None:
        raise UserError(f"{path} has no column of images, as {IMAGES[0]}: it has {', '.join(schema.names)}")
    return found[chosen]


def _label_column(schema: Any, features: dict[str, list[str]], path: str) -> str:
    """The column of the labels: one of the usual names, or the only one that has class names."""
    usual = next((name for name in LABELS if name in schema.names), None)
    chosen = usual or (next(iter(features)) if len(features) == 1 else None)
    if chosen is None:
        raise UserError(f"{path} has no column of labels, as {LABELS[0]}: it has {', '.join(schema.names)}")
    return chosen


def _names(
    stated: list[str] | None, labels: Sequence[int | str], names: Sequence[str], file: str
) -> tuple[dict[int | str, str], tuple[str, ...]]:
    """The class of each label, and what was guessed."""
    occurring = dict.fromkeys(labels)
    if any(isinstance(label, str) for label in occurring):
        return {label: plain(str(label)) for label in occurring}, ()
    most, wnids = max(map(int, occurring)), sorted(class_names())
    if stated is not None:
        own = wnids if _are_ilsvrcs(stated) else _distinct([plain(name) for name in stated])
        if most >= len(own):
            raise UserError(f"{file} has the label {most}, but states only {len(own)} classes, from 0")
        return {label: own[int(label)] for label in occurring}, ()
    if most < len(wnids) and (reason := _looks_like_ilsvrc(labels, names, file)):
        return {label: wnids[int(label)] for label in occurring}, (f"labels are ILSVRC's numbers, {reason}",)
    return {label: str(label) for label in occurring}, ("labels without names: the numbers are the classes",)


def _looks_like_ilsvrc(labels: Sequence[int | str], names: Sequence[str], file: str) -> str:
    """Why numbers below 1000 without names are to be those of ILSVRC's classes; nothing if they are not."""
    wnids = sorted(class_names())
    found = [WORDNET_ID_IN_NAME.search(name) for name in names]
    said = [(label, match[1]) for label, match in zip(labels, found, strict=True) if match]
    if said:
        agree = all(wnids[int(label)] == wnid for label, wnid in said)
        return "as the names of the images say" if agree else ""
    if set(labels) == set(range(len(wnids))):
        return "since all of them occur"
    return "by the number of the files" if OF_ILSVRC.search(file) else ""


def _are_ilsvrcs(stated: Sequence[str]) -> bool:
    """Whether these are the names of ILSVRC's classes in the order of their WordNet ids, as most of them tell."""
    pairs = zip(stated, class_names().values(), strict=False)
    same = sum(_first(name) == _first(own) for name, own in pairs)
    return len(stated) == len(class_names()) and 2 * same > len(stated)


def _first(name: str) -> str:
    """The first of the synonyms of a class's name."""
    return name.partition(",")[0].strip().casefold()


def _distinct(names: Sequence[str]) -> list[str]:
    """`names`, with the number behind one that occurs several times."""
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names)]
