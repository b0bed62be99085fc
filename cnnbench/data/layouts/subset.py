"""From all images of a listing to those of a split: which classes, in which order of labels, and how many of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cnnbench.config.data import SourceConfig
from cnnbench.data.layouts.account import Account, LeftOut, examples
from cnnbench.data.layouts.ilsvrc import WORDNET_ID
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.lists import Table, column, read_table
from cnnbench.data.layouts.names import Lookup
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError, nearest

OTHER_CLASSES = "images of other classes"


def subset(listing: Listing, data: SourceConfig, split: str, known: Sequence[str] | None) -> Split:
    """The images of `listing` that `data` asks for, with labels that count in the `known` classes.

    By default those of the file `data.classes`, else of the listing. Where `data.classes` chooses some classes the
    images of others are left out; else a class that is not known raises UserError. `data.train_fraction` is for train.
    """
    account = listing.account
    if known is None and data.classes is not None:
        known, notes = read_classes(data.classes, listing)
        account += Account(notes=notes)
    known = listing.classes if known is None else known
    label_of, find = {name: label for label, name in enumerate(known)}, Lookup(known)
    found = [find(name) for name in listing.classes]
    labels = np.array([-1 if name is None else label_of[name] for name in found], np.int64)[listing.labels]
    numbers = np.flatnonzero(labels >= 0)
    if data.classes is None and None in found:
        raise UserError(_unknown(listing, found, known))
    account += Account(_left_out(OTHER_CLASSES, len(labels) - len(numbers)))
    if split == "train" and data.train_fraction < 1:
        share = _share(labels[numbers], data.train_fraction)
        account += Account(_left_out(f"beyond train_fraction={data.train_fraction:g}", len(numbers) - len(share)))
        numbers = numbers[share]
    if not len(numbers):
        raise UserError(f"{listing.source} has no images of the {len(known)} chosen classes")
    account += Account(notes=_without_images(known, labels[numbers]))
    return Split(tuple(known), labels[numbers], numbers, listing.storage, account, data.max_megapixels)


def hold_out(split: Split, share: float) -> tuple[Split, Split]:
    """`split` without, and with nothing but, `share` of each class's images, (0, 1), evenly spread over its list: the
    same whatever the seed. A class keeps one image at least. UserError if that holds nothing out."""
    held = _spread(split.labels, lambda size: min(round(share * size), size - 1))
    if not len(held):
        raise UserError(
            f"data.holdout={share:g} of the {len(split):,} training images rounds to none of any class: give a larger "
            "share"
        )
    rest = np.setdiff1d(np.arange(len(split)), held)
    return split.chosen(rest), split.chosen(held)


def read_classes(path: str, listing: Listing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes that a file names, one per line, in its order, as the listing writes them; after a WordNet id a line
    may have any text, and of a table the column counts that has most of the classes. Then what was guessed.

    UserError for a name that the listing lacks, or that comes twice.
    """
    known = Lookup(listing.classes)
    table = read_table(Path(path).expanduser(), f"data.classes={path}")
    names = [_without_text(name) for name in column(table, lambda name: known(_without_text(name)) is not None)]
    for name in names:
        if known(name) is None:
            raise UserError(f"data.classes={path} names {_no_class(name, table, listing)}")
    found = tuple(known(name) or name for name in names)
    if not found or len(set(found)) < len(found):
        raise UserError(f"data.classes={path} has to name each class once, one per line")
    return found, table.notes


def _without_text(line: str) -> str:
    return match[0] if (match := WORDNET_ID.match(line)) else line


def _no_class(name: str, table: Table, listing: Listing) -> str:
    """The sentence on a name of a list of classes that the listing lacks, with the fix where it is seen."""
    known = Lookup(listing.classes)
    words = [word.strip("-:,'\"[]") for line in table.lines for word in line.split() if known(line.strip()) is None]
    marked = any(known(word) is not None for word in words)
    near = _nearest(name, listing.classes) or examples(listing.classes)
    return f"'{name}', which is not a class of {listing.source}{': write one name per line, alone' if marked else near}"


def _nearest(name: str, known: Sequence[str]) -> str:
    """As `nearest`, also for a name that is another in its case alone."""
    same = [one for one in known if one.casefold() == name.casefold()]
    return f", did you mean {same[0]}?" if same else nearest(name, known)


def _unknown(listing: Listing, found: Sequence[str | None], known: Sequence[str]) -> str:
    """The sentence on classes of the listing that are not known."""
    unknown = [label for label, name in enumerate(found) if name is None]
    first, images = listing.classes[unknown[0]], int(np.isin(listing.labels, unknown).sum())
    more = f" (and {len(unknown) - 1:,} more such classes, {images:,} images in all)" if len(unknown) > 1 else ""
    return (
        f"{listing.source} has the class '{first}'{more}, which is not one of the {len(known)} classes known"
        f"{_nearest(first, known) or examples(known)}"
    )


def _without_images(known: Sequence[str], labels: np.ndarray) -> tuple[str, ...]:
    """A phrase on those of the `known` classes that no image has."""
    counts = np.bincount(labels, minlength=len(known))
    missing = [name for name, count in zip(known, counts, strict=True) if not count]
    return (f"classes without images {len(missing):,}{examples(missing)}",) if missing else ()


def _left_out(reason: str, count: int) -> tuple[LeftOut, ...]:
    return (LeftOut(reason, count),) if count else ()


def _share(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Positions, sorted, of `fraction` of each class's images, at least one of each, evenly spread over its list."""
    return _spread(labels, lambda size: max(1, round(fraction * size)))


def _spread(labels: np.ndarray, count: Callable[[int], int]) -> np.ndarray:
    """Positions, sorted, of count(size) images of each class that has `size`, evenly spread over its list."""
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    counts = [count(len(group)) if len(group) else 0 for group in groups]
    chosen = [g[np.arange(n) * len(g) // n] for g, n in zip(groups, counts, strict=True) if n]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
