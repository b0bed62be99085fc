"""What a check of a data set looks for: in each file, in the numbers of its classes, and between files."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from cnnbench.data.commands.fenced import map_fenced
from cnnbench.data.commands.inspection import Finding, inspect_file, inspect_pixels
from cnnbench.data.commands.journal import Journal
from cnnbench.data.layouts.ilsvrc import IMAGES, IMAGES_PER_CLASS
from cnnbench.data.layouts.scan import DANGLING, EMPTY, SPECIAL
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.shell import counted

# What a check may find; a problem gives exit status 1, a remark does not: decoding copes with it.
PROBLEMS = {
    "unreadable": "files that cannot be read",
    "empty": "files without content",
    "corrupt": "files that cannot be decoded",
    "damaged": "JPEG files that decode, with a part of their picture lost",
    "huge": "images whose size could fill the memory; training does not decode them either",
    "thin": "images one pixel wide or high",
    "misplaced": "files whose name says another class than their folder",
    "counts": "classes with another number of images than they should have",
    "classes": "classes that only one of the splits has",
    "same_in_splits": "the same file in train and in val",
    "same_in_classes": "the same file in several classes",
}
REMARKS = {
    "same": "the same file several times in its class",
    "grey": "grey-scale images",
    "cmyk": "CMYK images",
    "deep": "images of more than 8 bits per channel",
    "palette": "images with a palette",
    "rotated": "images that EXIF says to rotate, which decoding ignores",
    "wrong_type": "files of another type than their name says",
}
ILSVRC_CLASSES = 1000
WORDNET_ID = re.compile(r"n\d{8}$")
NAMED_AFTER_CLASS = re.compile(r"(n\d{8})_\d+\.[^/]*$")  # as ILSVRC's training images are


Found = dict[str, list[tuple[str, str]]]  # by kind: the names of images or classes, and a detail


@dataclass
class Checked:
    """What was seen in one split: flat arrays (n,), the number of files of each format, of images of each mode."""

    split: Split
    digests: np.ndarray  # uint64 (n, 2)
    widths: np.ndarray
    heights: np.ndarray
    sizes: np.ndarray
    formats: Counter = field(default_factory=Counter)
    modes: Counter = field(default_factory=Counter)


def check_files(name: str, split: Split, workers: int | None, found: Found) -> Checked:
    """Look at every image of the split called `name`, and add to `found`; what an interrupted check saw is kept."""
    count = len(split)
    found["unreadable"] += [(link, "No such file or directory, a link to it") for link in split.account.names(DANGLING)]
    found["unreadable"] += [(other, "a pipe, a socket or a device") for other in split.account.names(SPECIAL)]
    widths, heights, sizes = np.zeros((3, count), np.int64)
    result = Checked(split, np.zeros((count, 2), np.uint64), widths, heights, sizes)
    with closing(Journal(name, split)) as journal:
        done = 0
        for done, finding in enumerate(journal.resume(), start=1):
            _note(result, done - 1, finding, found)
        work = partial(_inspect, name, split)
        findings = map_fenced(work, _ended, split, range(done, count), workers, f"checking {name}")
        for index, finding in enumerate(findings, start=done):
            _note(result, index, finding, found)
            journal.add(index, finding)
        journal.forget()
    return result


def _note(result: Checked, index: int, finding: Finding, found: Found) -> None:
    if finding.digest:
        result.digests[index] = np.frombuffer(finding.digest, np.uint64)
    result.widths[index], result.heights[index] = finding.width, finding.height
    result.sizes[index] = finding.size
    result.formats[finding.format] += 1
    result.modes[finding.mode] += 1
    for kind, detail in finding.kinds.items():
        found[kind].append((result.split.name(index), detail))


def _inspect(name: str, split: Split, index: int) -> Finding:
    called = split.name(index)
    try:
        content = split.read(index)
    except UserError as error:
        return Finding(kinds={"unreadable": str(error)})
    if isinstance(content, np.ndarray):
        finding = inspect_pixels(content)
    else:
        finding = inspect_file(content, called, split.max_megapixels)
    said, lies_in = NAMED_AFTER_CLASS.search(called.removesuffix(")")), split.classes[split.labels[index]]
    if name == "train" and said and WORDNET_ID.match(lies_in) and said[1] != lies_in:
        finding.kinds["misplaced"] = f"it lies in {lies_in}"
    return finding


def _ended(why: str) -> Finding:
    return Finding(kinds={"corrupt": why})


def is_ilsvrc(split: Split) -> bool:
    """Whether the classes are as many as ILSVRC's, and all WordNet ids."""
    return len(split.classes) == ILSVRC_CLASSES and all(map(WORDNET_ID.match, split.classes))


def wrong_counts(name: str, split: Split) -> list[tuple[str, str]]:
    """Classes without images and, for a data set that looks like ILSVRC, with other numbers than ILSVRC's."""
    counts = np.bincount(split.labels, minlength=len(split.classes))
    low, high = IMAGES_PER_CLASS[name] if is_ilsvrc(split) else (1, np.inf)
    wrong = [
        (
            f"{name}, {split.classes[label]}",
            counted(int(counts[label]), "image") + (f", not {low} to {high}" if low > 1 else ""),
        )
        for label in np.flatnonzero((counts < low) | (counts > high))
    ]
    wrong += [(f"{name}, {folder}", "0 images: it is no class") for folder in split.account.names(EMPTY)]
    if is_ilsvrc(split) and len(split) != IMAGES[name]:
        wrong.append((f"{name}, all", f"{len(split):,} images, not ILSVRC's {IMAGES[name]:,}"))
    return wrong


def compare_classes(checked: dict[str, Checked], found: Found) -> None:
    if len(checked) == 2:
        train, val = (set(result.split.classes) for result in checked.values())
        there, missing = list(checked), (train - val, val - train)
        for has, lacks, names in zip(there, reversed(there), missing, strict=True):
            found["classes"] += [(name, f"in {has}, not in {lacks}") for name in sorted(names)]


def find_duplicates(checked: dict[str, Checked], found: Found) -> None:
    """Note every image whose content occurred before, in the order of splits and images."""
    digests = np.concatenate([result.digests for result in checked.values()])
    places = [(name, index) for name, result in checked.items() for index in range(len(result.split))]
    order = np.lexsort((np.arange(len(digests)), digests[:, 1], digests[:, 0]))
    same = (digests[order][1:] == digests[order][:-1]).all(1) & digests[order][1:].any(1)
    firsts = np.where(np.r_[False, same], 0, np.arange(len(order)))
    firsts = np.maximum.accumulate(firsts)  # in `order`, the first image with the same content
    again_at = np.flatnonzero(same) + 1
    for position in again_at[np.argsort(order[again_at])]:
        first, again = places[order[firsts[position]]], places[order[position]]
        (one, one_class), (other, other_class) = (_name_and_class(checked, *place) for place in (first, again))
        kind = "same_in_splits" if first[0] != again[0] else "same_in_classes" if one_class != other_class else "same"
        found[kind].append((other, f"the same as {one}"))


def _name_and_class(checked: dict[str, Checked], name: str, index: int) -> tuple[str, str]:
    split = checked[name].split
    return split.name(index), split.classes[split.labels[index]]
