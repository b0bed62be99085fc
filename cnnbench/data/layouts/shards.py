"""Tar shards in WebDataset's form, in a folder, or named by URLs or by names with braces: train-{000000..001281}.tar.

A shard belongs to the split whose name its file's name, or its folder's, has in it. A sample is an image (KEY.jpg) and
its label (KEY.cls, KEY.json or KEY.txt: a number, or a name such as a WordNet id); an image without a label is of the
class that its folder in the tar is named after. Numbers count in the lines of classes.txt beside the shards; without
that file, in the sorted WordNet ids of ILSVRC if exactly 0 .. 999 occur; else they are the names of the classes.

The shards' headers are read once; after that every image is read by itself, so that its order is as for any other data.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import NamedTuple

from cnnbench.data.layouts.account import Account
from cnnbench.data.layouts.archived import Image, at_once, listing, unpacked
from cnnbench.data.layouts.ilsvrc import official_order
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import IMAGE_ENDINGS, SPLIT_FOLDERS, is_image
from cnnbench.data.layouts.shard_cache import cached
from cnnbench.data.storage import ranges, remote
from cnnbench.data.storage.tars import TarMember, tar_members
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import parse_json

FORM = "tar shards"
LARGEST = 1 << 24  # bytes of classes.txt
LABEL_ENDINGS = (".cls", ".json", ".txt")  # the first that a sample has counts
JSON_KEYS = ("label", "cls", "class", "wnid")  # likewise
SPLIT_WORD = re.compile(rf"(?:^|[-_.])({'|'.join(sum(SPLIT_FOLDERS.values(), ()))})(?=$|[-_.0-9])")


class Sample(NamedTuple):
    """An image, `length` bytes at `offset` of its shard, with the label as written there."""

    label: str
    name: str
    offset: int
    length: int


def recognises(root: Path) -> bool:
    return any(_split_shards(_in_folder(root), split) and not unpacked(root, split) for split in SPLIT_FOLDERS)


def list_images(root: Path, split: str) -> Listing:
    """The images of `split` in a local folder of shards."""
    return _listing(str(root), _in_folder(root), split)


def is_pattern(path: str) -> bool:
    """Whether `path` names shards by itself: a URL, or names with braces."""
    return remote.is_remote(path) or "{" in path


def list_pattern(path: str, split: str) -> Listing:
    """The images of `split` in the shards that a URL, or names with braces, stand for."""
    if not remote.is_remote(path):
        path = os.path.abspath(os.path.expanduser(path))
    if path.endswith(".tar"):
        return _listing(path, expand(path), split)
    return _listing(path, _in_remote_folder(path), split)


def expand(pattern: str) -> list[str]:
    """The names that `pattern` stands for: {a,b} gives a and b, {000..012} the numbers from 000 to 012, nested too."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    options, depth = [""], 1
    for place, letter in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            options = _numbers(rest[:place]) or options
            return [before + middle + end for o in options for middle in expand(o) for end in expand(rest[place + 1 :])]
        if letter == "," and depth == 1:
            options.append("")
        else:
            options[-1] += letter
    raise UserError(f"'{pattern}' has a brace that is not closed")


def _numbers(words: str) -> list[str]:
    """The numbers of 000..012 with their zeros; [] for other words."""
    match = re.fullmatch(r"(\d+)\.\.(\d+)", words)
    return [f"{number:0{len(match[1])}}" for number in range(int(match[1]), int(match[2]) + 1)] if match else []


def _in_folder(root: Path) -> list[str]:
    """The tar files in `root`, and in its folders named after a split."""
    folders = [root, *(root / name for names in SPLIT_FOLDERS.values() for name in names)]
    return sorted(str(file) for folder in folders if folder.is_dir() for file in folder.glob("*.tar") if file.is_file())


def _in_remote_folder(url: str) -> list[str]:
    names = remote.list_folder(url)
    folders = {posixpath.basename(name.rstrip("/")): name for name in names}
    for split in (name for names in SPLIT_FOLDERS.values() for name in names):
        if split in folders:
            names = names + remote.list_folder(folders[split])
    return [name for name in names if name.endswith(".tar")]


def _split_shards(paths: list[str], split: str) -> list[str]:
    """Those of `paths` that belong to `split`, by the first of its usual names that occurs."""
    named = [(_split_word(path), path) for path in paths]
    for word in SPLIT_FOLDERS[split]:
        if found := [path for named_after, path in named if named_after == word]:
            return found
    return []


def _split_word(path: str) -> str | None:
    """The name of a split in the file's name, or else in its folder's: train for imagenet-train-000000.tar."""
    folder, _, file = path.rpartition("/")
    found = SPLIT_WORD.search(file) or SPLIT_WORD.search(posixpath.basename(folder))
    return found[1] if found else None


def _listing(source: str, paths: list[str], split: str) -> Listing:
    shards = _split_shards(paths, split)
    if not shards:
        seen = f"it has {', '.join(map(posixpath.basename, paths[:3]))}" if paths else "it has no .tar files"
        raise UserError(f"{source} has no shards named after the {split} split, as {split}-000000.tar: {seen}")
    found = at_once(
        f"reading the headers of {split} shards",
        lambda path: [Sample(*found) for found in cached(path, samples)],
        shards,
    )
    names = _class_names(source, {sample.label for samples in found for sample in samples}, _listed_classes(shards[0]))
    images = [
        Image(names[sample.label], sample.name, path, sample.offset, sample.length)
        for path, samples in zip(shards, found, strict=True)
        for sample in samples
    ]
    return listing(f"{source} ({split})", images, FORM, Account())


def samples(path: str) -> list[Sample]:
    """The images of one shard, with their labels as they are written."""
    images: list[TarMember] = []
    labels: dict[tuple[str, str], str] = {}
    for member in tar_members(path, contents=LABEL_ENDINGS):
        key, ending = posixpath.splitext(member.name)
        if is_image(posixpath.basename(member.name)):  # not ._x.jpg, as archives of macOS have
            images.append(member)
        elif ending in LABEL_ENDINGS:
            labels[key, ending] = _label(path, member, ending)
    if not images:
        raise UserError(f"{path} has no images: it looks for {', '.join(IMAGE_ENDINGS)}")
    labelled = {key for key, _ in labels}
    return [
        Sample(_label_of(path, image.name, labels), image.name, image.offset, image.length)
        for image in images
        # KEY.mask.png is a further field of the sample KEY, not a sample
        if posixpath.splitext(image.name)[0] in labelled or _key(image.name) not in labelled
    ]


def _key(name: str) -> str:
    """WebDataset's key: the name up to the first dot of its last part."""
    folder, _, file = name.rpartition("/")
    return posixpath.join(folder, file.partition(".")[0])


def _label_of(path: str, name: str, labels: dict[tuple[str, str], str]) -> str:
    key = posixpath.splitext(name)[0]
    for ending in LABEL_ENDINGS:
        if label := labels.get((key, ending)):
            return label
    if folder := posixpath.basename(posixpath.dirname(name)).strip("."):
        return folder
    raise UserError(
        f"{path}: the image '{name}' has no label: neither {', '.join(LABEL_ENDINGS)} beside it nor a folder"
    )


def _label(path: str, member: TarMember, ending: str) -> str:
    """What a label file says; "" where that is not a label."""
    text = member.content.decode(errors="replace").strip()
    if ending == ".json":
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise UserError(f"{path}: '{member.name}' is not JSON: {error}") from error
        text = (
            next((str(fields[key]) for key in JSON_KEYS if key in fields), "")
            if isinstance(fields, dict)
            else str(fields)
        )
    return str(int(text)) if text.isdecimal() else text


def _listed_classes(shard: str) -> list[str] | None:
    """The lines of classes.txt beside the shard, or one folder up; None where there is none."""
    folder = posixpath.dirname(shard)
    for place in (folder, posixpath.dirname(folder)):
        path = f"{place}/classes.txt"
        if remote.exists(path) if remote.is_remote(path) else os.path.isfile(path):
            if (size := ranges.size(path)) > LARGEST:
                raise UserError(f"{path} is of {size:,} bytes, and should be a list of classes")
            return ranges.read_range(path, 0, size).decode(errors="replace").split()
    return None


def _class_names(source: str, labels: set[str], listed: list[str] | None) -> dict[str, str]:
    """The class of every label, by the rule that this file begins with."""
    numbers = {int(label) for label in labels if label.isdecimal()}
    if listed is None and numbers == set(range(1000)):
        listed = sorted(official_order())
    if listed is None:
        return {label: label for label in labels}
    if numbers and max(numbers) >= len(listed):
        raise UserError(
            f"{source} has the label {max(numbers)}, but classes.txt names only {len(listed)} classes, from 0"
        )
    return {label: listed[int(label)] if label.isdecimal() else label for label in labels}
