"""`cnnbench data pack`: a data set into packed files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import features

from cnnbench import __version__
from cnnbench.config.data_commands import PackConfig, output_folder
from cnnbench.data.commands.difference import difference
from cnnbench.data.commands.encode import Recipe, encode, recipe
from cnnbench.data.commands.fenced import map_fenced
from cnnbench.data.commands.packing import PARTIAL, Record, part_names, size_so_far, write_file
from cnnbench.data.decode.engines import make_engine, what_is_missing
from cnnbench.data.decode.entry_finder import find_entries
from cnnbench.data.decode.entry_index import EVERY, PACKED_EVERY
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.picture import Undecided
from cnnbench.data.layouts.read import data_folder, read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.files import Files
from cnnbench.data.storage.packed import LEFT_OUT, Packed, checksum, read_header
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import check_free_space, filling
from cnnbench.runtime.shell import counted, counted_bytes

PROBES = 64  # images whose packed size gives the estimate for all
SHOWN = 20  # broken images that are listed


def pack(config: PackConfig) -> None:
    """Pack the splits that `config` names and say how large they are and how far their pixels are from the originals.

    UserError if images are broken and config.skip_broken is not set, an image cannot be read, or the disk is full; what
    is written stays, and the same command goes on from there.
    """
    chosen = recipe(config.form, config.short_side, config.quality, config.interpolation)
    output = output_folder(config)
    if output.resolve() == data_folder(config.data.given_path).resolve():
        raise UserError(f"output={config.output} is the data set's own folder: give another")
    splits = {split: read_split(config.data, split) for split in config.splits}
    broken: list[tuple[str, str]] = []
    try:
        with filling(output):
            output.mkdir(parents=True, exist_ok=True)
            _check_space(config, splits, chosen, output)
            for name, split in splits.items():
                broken += _pack_split(config, name, split, chosen, output)
    except KeyboardInterrupt:
        print(f"\nWhat is packed is kept in {output}, the unfinished file as *{PARTIAL}: the same command goes on.")
        raise
    if broken and not config.skip_broken:
        listed = "; ".join(why for _, why in broken[:SHOWN])
        more = f"; and {len(broken) - SHOWN:,} more" if len(broken) > SHOWN else ""
        raise UserError(
            f"{len(broken):,} broken images: {listed}{more}. Repair them or add skip_broken=true, and repeat"
        )


def _pack_split(config: PackConfig, name: str, split: Split, chosen: Recipe, output: Path) -> list[tuple[str, str]]:
    """Pack one split, print its figures, and return its broken images and why they are."""
    print(f"{name}: {counted(len(split), 'image')} of {config.data.path}, to be {chosen.in_words()}")
    parts = part_names(name, len(split), config.shard_size)
    originals, packed, indexed, broken = 0, 0, 0, []
    for number, (file_name, indices) in enumerate(parts.items()):
        names = [_short_name(split, index, config.data.given_path) for index in indices]
        shard = _Shard(number, len(parts), names, split.labels[indices.start : indices.stop])
        target, header = output / file_name, _header(config, name, split, chosen, shard)
        if target.exists():
            _check_same(target, header)
            print(f"  {target} is there already")
            continue
        records = partial(_records, config, split, chosen, indices)
        written = write_file(target, header, shard.labels, names, records, config.skip_broken)
        broken += written.left_out
        if target.exists():
            originals, packed = originals + written.originals, packed + target.stat().st_size
            indexed += written.indexed
            kept, size = counted(len(names) - len(written.left_out), "image"), counted_bytes(target.stat().st_size)
            print(f"  {target}: {kept}, {size}")
    if originals:
        share = f"{packed / originals:.2f} of the size"
        print(f"  {counted_bytes(packed)} from {counted_bytes(originals)} of originals: {share}")
        if chosen.form != "raw":
            print(f"  side index: entry points of {counted(indexed, 'image')}{what_is_missing()}")
    if broken and config.skip_broken:
        print(f"  left out {len(broken):,} broken images: {'; '.join(why for _, why in broken[:SHOWN])}")
    if packed and chosen.form != "original":
        print(difference(split, chosen, config.workers))
    return broken


def _records(config: PackConfig, split: Split, chosen: Recipe, indices: range, done: int) -> Iterator[Record]:
    """The records of the images of `indices` that come after the first `done`."""
    work = partial(_record, split, chosen)
    return map_fenced(work, _left_out, split, indices[done:], config.workers, "packing")


def _record(split: Split, chosen: Recipe, index: int) -> Record:
    original = split.read(index)  # what cannot be read ends the command: a disk that is gone is not a broken image
    try:
        encoded = encode(original, split.name(index), chosen, split.max_megapixels)
    except Undecided:
        raise
    except UserError as error:
        return _left_out(str(error))
    size = original.nbytes if isinstance(original, np.ndarray) else len(original)
    record = Record(encoded.content, checksum(encoded.content), encoded.shape, size)
    return record if chosen.form == "raw" else _with_entries(record, PACKED_EVERY if chosen.form == "jpeg" else EVERY)


def _with_entries(record: Record, every: int) -> Record:
    """The record with where decoding of it can begin, as far as the native decoder takes it."""
    library, entries = load(), find_entries(record.content, make_engine("simplejpeg"), every)
    if library is None or entries is None:
        return record
    return replace(record, entries=entries, keys=(library.key(record.content), library.key(entries.bytes)))


def _left_out(why: str) -> Record:
    reason = why.encode(errors="surrogateescape")
    return Record(reason, checksum(reason), (0, 0, 0), 0, LEFT_OUT)


@dataclass(frozen=True)
class _Shard:
    """Packed file `number` of the `count` of a split: the names and labels of its images."""

    number: int
    count: int
    names: list[str]
    labels: np.ndarray


def _header(config: PackConfig, name: str, split: Split, chosen: Recipe, shard: _Shard) -> dict[str, Any]:
    """What a packed file says of itself; a file that was begun with another is not continued."""
    source = split.storage
    again = f", from {source.form}" if isinstance(source, Packed) and "original" not in source.form else ""
    content = hashlib.sha256("\0".join(shard.names).encode(errors="surrogateescape") + shard.labels.tobytes())
    return {
        "form": chosen.in_words() + again,
        "recipe": vars(chosen),
        "split": name,
        "part": [shard.number, shard.count],
        "images": len(shard.names),
        "classes": list(split.classes),
        "source": config.data.path,
        "content": content.hexdigest(),
        "versions": {
            "cnnbench": __version__,
            "pillow": version("pillow"),
            "simplejpeg": version("simplejpeg"),
            "libjpeg": features.version("libjpeg_turbo") or features.version("jpg"),
        },
    }


def _check_same(target: Path, header: dict[str, Any]) -> None:
    found = read_header(str(target))[0]
    differ = [name for name in header if name != "versions" and found.get(name) != header[name]]
    if differ:
        raise UserError(f"{target} exists, with another {', '.join(differ)}: remove it or give another output=")


def _short_name(split: Split, index: int, path: str) -> str:
    """The name of an image below the folder of its data set."""
    if not isinstance(split.storage, Files):
        return split.path(index)
    return split.name(index).removeprefix(f"{data_folder(path)}{os.sep}")


def _check_space(config: PackConfig, splits: dict[str, Split], chosen: Recipe, output: Path) -> None:
    """Raise UserError if the packed files, as a few images let expect, do not fit on the disk."""
    needed = 0
    for name, split in splits.items():
        probes = np.unique(np.linspace(0, len(split) - 1, PROBES, dtype=np.int64))
        work = partial(_record, split, chosen)
        records = map_fenced(work, _left_out, split, probes.tolist(), config.workers, f"looking at {name}")
        sizes = [len(record.content) for record in records]
        there = sum(size_so_far(output / part) for part in part_names(name, len(split), config.shard_size))
        needed += max(0, round(np.mean(sizes) * len(split)) - there)
    check_free_space(output, needed, "make room, or pack smaller")
