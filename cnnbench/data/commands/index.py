"""`cnnbench data index`: list the splits of a data set, and keep the lists for every start after it.

The folders are looked at even where there is an index: who asks for one may know that it is out of date.
"""

from __future__ import annotations

import time
from pathlib import Path

from cnnbench.config.data_commands import DataIndexConfig
from cnnbench.data.layouts import index
from cnnbench.data.layouts.ilsvrc import classes_in_words
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.read import data_folder, find_layout, list_anew
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import writing


def index_command(config: DataIndexConfig) -> None:
    """Print what each split has and where its index lies. UserError, once all are tried, for a split that failed."""
    root = data_folder(config.data.given_path)
    layout = find_layout(root)
    print(f"{root}: {layout}")
    problems = []
    for split in ("train", "val") if config.split is None else (config.split,):
        start = time.perf_counter()
        try:
            listing, kept = _index(root, split, layout, config.beside)
        except UserError as error:
            problems.append(error)
            continue
        seconds = time.perf_counter() - start
        print(
            f"  {split:<7}{classes_in_words(listing.classes)}, {len(listing.labels):,} images, {seconds:.2f} s, {kept}"
        )
    if problems:
        raise problems[0]


def _index(root: Path, split: str, layout: str, beside: bool) -> tuple[Listing, str]:
    """The listing of a split, and in words what became of its index."""
    since = time.time()
    listing = list_anew(root, split, layout)
    if not listing.depends:
        return listing, "needs no index"
    found = index.find(root, split, layout)
    if found and (not beside or found[0] == index.beside_file(root, split)) and index.is_same(found[1], listing):
        return found[1], f"index up to date: {found[0]}"
    if not index.is_settled(listing, since):  # changed just now: look again when a further change would show
        time.sleep(index.QUIET)
        listing = list_anew(root, split, layout)
    if beside:
        return listing, f"index: {index.keep_beside(listing, root, split, layout)}"
    with writing(index.cache_file(root, split), "set CNNBENCH_CACHE, or use beside=true"):
        return listing, f"index: {index.keep_in_cache(listing, root, split, layout)}"
