"""`cnnbench data index`: list the splits of a data set, and keep the lists for every start after it; with decoder=true
also the entry points of their JPEG files, for faster decoding.

The folders are looked at even where there is an index: who asks for one may know that it is out of date.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from cnnbench.config.data_commands import DataIndexConfig
from cnnbench.data.commands.decoder_index import make_side_index
from cnnbench.data.layouts import index
from cnnbench.data.layouts.ilsvrc import classes_in_words
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.read import data_folder, find_layout, list_anew
from cnnbench.runtime.cache import own_cache_folder
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
        if config.decoder:
            print(f"  {'':<7}{_side_index(listing, root, split, config)}")
    if problems:
        raise problems[0]


def _side_index(listing: Listing, root: Path, split: str, config: DataIndexConfig) -> str:
    """Make the entry points of a split; in words, what they are."""
    start = time.perf_counter()
    if config.beside:
        path, mode, cure = index.side_index_file(index.beside_file(root, split)), 0o644, "leave out beside=true"
    else:
        path, mode, cure = index.side_index_file(index.cache_file(root, split)), 0o600, "set CNNBENCH_CACHE"
    with writing(path, cure):
        if not config.beside:
            own_cache_folder("index")
        held = make_side_index(listing, path, mode, config.workers, f"{split}, entry points")
    if (parts := index.side_folder(root, split)) is not None:  # which runs have made, and this one has now
        shutil.rmtree(parts, ignore_errors=True)
    seconds = time.perf_counter() - start
    return f"decoder: {held}, {seconds:.1f} s: {path}"


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
