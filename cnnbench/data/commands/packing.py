"""Writing one packed file: it grows under a name of its own, goes on after a kill, and is read back at the end."""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.decode.entry_index import SEAL, Kept, sealed
from cnnbench.data.decode.native.library import EntryPoints, load
from cnnbench.data.storage.files import pack_names
from cnnbench.data.storage.packed import (
    ARRAYS,
    IMAGE,
    INDEX,
    INDEX_PLACE,
    LEFT_OUT,
    MAGIC,
    PREAMBLE,
    RECORD,
    VERSION,
    checksum,
    open_file,
    read_header,
)
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import sync
from cnnbench.runtime.parallel import progress
from cnnbench.runtime.system import BINARY, drop_from_memory, lock_file

PARTIAL = ".partial"  # added to the name of a file that is not finished
BUFFER = 1 << 22  # bytes


@dataclass(frozen=True)
class Record:
    """An image on its way into a file: its packed `content`, of `original` bytes before; or why it is left out.
    `entries`: where decoding can begin, by the key of the content and that of their bytes."""

    content: bytes
    checksum: int
    shape: tuple[int, int, int]
    original: int
    kind: int = IMAGE
    entries: EntryPoints = EntryPoints(0, b"")
    keys: tuple[int, int] = (0, 0)

    def pack(self) -> bytes:
        height, width, channels = self.shape
        image = len(self.content), self.checksum, height, width, self.original, channels, self.kind
        kept = self.entries.bytes
        return RECORD.pack(*image, self.entries.every, len(kept), checksum(kept), *self.keys) + self.content + kept


@dataclass(frozen=True)
class Written:
    """`originals`: their size, bytes; `left_out`: name of each broken image, and why; `indexed`: images with entry
    points."""

    originals: int
    left_out: list[tuple[str, str]]
    indexed: int


def write_file(
    target: Path,
    header: dict[str, Any],
    labels: np.ndarray,
    names: list[str],
    records: Callable[[int], Iterable[Record]],
    skip_broken: bool,
) -> Written:
    """Write the packed file `target`, or go on where a kill ended it.

    `labels` and `names` are those of all images; `records(done)` makes the rest of the records from image `done` on.
    The final name is given once every byte has been read back, but not if images are broken and not `skip_broken`: then
    the partial file is kept. UserError if it belongs to other settings, or the disk does not keep what is written.
    """
    partial = target.with_name(target.name + PARTIAL)
    opening = _opening(header)
    with _locked(partial) as file:
        _begin_or_check(file, partial, opening)
        done, end = _continue_from(file, partial.name, len(opening), len(names), skip_broken)
        file.truncate(end)
        file.seek(end)
        for record in records(done):
            file.write(record.pack())
        _to_disk(file)
        places = _verified(file, partial, len(opening), names)
        left_out = _left_out(file, places, names)
        if skip_broken or not left_out:
            _finish(file, opening, _entries(places), _index(places, labels, names, left_out))
            open_file(str(partial))
            os.replace(partial, target)
            sync(target.parent)
    return Written(int(places["original"].sum()), left_out, int((places["entries"] > 0).sum()))


NUMBERS = (
    *("length", "checksum", "height", "width", "original", "channels", "kind"),
    *("spacing", "entries", "entries_checksum", "key", "sum"),
)  # of a RECORD
PLACE = np.dtype([("start", "<u8"), *((name, "<u8") for name in NUMBERS)])
NOT_YET = (0, 0, 0, 0)


def _opening(header: dict[str, Any], index: tuple[int, int, int, int] = NOT_YET) -> bytes:
    """Preamble and header; `index` is its checksum, start and length, and where the seal of the entries is."""
    text = json.dumps(header).encode()
    return PREAMBLE.pack(MAGIC, VERSION, len(text), checksum(text), *index) + text


def _locked(partial: Path) -> io.BufferedRandom:
    """The partial file, opened and locked against another process."""
    file = io.BufferedRandom(io.FileIO(os.open(partial, os.O_RDWR | os.O_CREAT | BINARY, 0o666), "r+"), BUFFER)
    try:
        lock_file(file)
    except OSError as error:
        file.close()
        raise UserError(f"another process is writing {partial}: wait for it, or give another output=") from error
    return file


def _begin_or_check(file: io.BufferedRandom, partial: Path, opening: bytes) -> None:
    """Write the opening of an empty file, or see that the file was begun with the same one."""
    found = file.read(len(opening))
    same = found[:INDEX_PLACE] + found[PREAMBLE.size :] == opening[:INDEX_PLACE] + opening[PREAMBLE.size :]
    if same or opening.startswith(found):  # begun, or killed just before its end; new, or killed while it began
        file.seek(0)
        file.write(opening)
        file.flush()
    else:
        before, now = read_header(str(partial))[0], json.loads(opening[PREAMBLE.size :])
        differ = ", ".join(name for name in now if before.get(name) != now[name])
        raise UserError(f"{partial} was begun with another {differ}: repeat that command, or remove the file")


def _continue_from(file: io.BufferedRandom, name: str, start: int, count: int, keep_left_out: bool) -> tuple[int, int]:
    """How many images of the file are whole, and where the last of them ends. A broken image is tried again, unless
    such images are left out."""
    if os.fstat(file.fileno()).st_size == start:
        return 0, start
    done, end = 0, start
    with progress(f"checking {name}", count, "images") as advance:
        for place in _scan(file, start, count):
            if place["kind"] == LEFT_OUT and not keep_left_out:
                break
            done, end = done + 1, int(place["start"] + place["length"] + place["entries"])
            advance()
    return done, end


def _scan(file: io.BufferedRandom, position: int, count: int) -> Iterator[np.ndarray]:
    """The place, PLACE (), of each image up to the first that is not there whole."""
    file.seek(position)
    for _ in range(count):
        head = file.read(RECORD.size)
        if len(head) < RECORD.size:
            return
        position += RECORD.size
        place = np.array((position, *RECORD.unpack(head)), PLACE)
        for length, stored in (("length", "checksum"), ("entries", "entries_checksum")):
            content = file.read(int(place[length]))
            if len(content) < place[length] or checksum(content) != place[stored]:
                return
            position += len(content)
        yield place


def _verified(file: io.BufferedRandom, partial: Path, start: int, names: list[str]) -> np.ndarray:
    """The places of all images, PLACE (n,), once each has been read back; UserError for the first that differs."""
    places = np.zeros(len(names), PLACE)
    with progress(f"verifying {partial.name}", len(names), "images") as advance:
        for index, place in enumerate(_scan(file, start, len(names))):
            places[index] = place
            advance()
    if not places["start"].all():
        lost = names[np.flatnonzero(places["start"] == 0)[0]]
        raise UserError(f"{partial} does not read back as it was written, at {lost}: this disk is not reliable")
    return places


def _left_out(file: io.BufferedRandom, places: np.ndarray, names: list[str]) -> list[tuple[str, str]]:
    """Name and reason of each image that could not be decoded."""
    found = []
    for index in np.flatnonzero(places["kind"] == LEFT_OUT):
        file.seek(int(places["start"][index]))
        found.append((names[index], file.read(int(places["length"][index])).decode(errors="surrogateescape")))
    return found


def _entries(places: np.ndarray) -> list[Kept]:
    """Where the entry points of the images are."""
    found = places[places["key"] > 0]
    columns = found["key"], found["start"] + found["length"], found["sum"], found["entries"], found["spacing"]
    return [Kept(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _index(places: np.ndarray, labels: np.ndarray, names: list[str], left_out: list[tuple[str, str]]) -> bytes:
    kept = np.flatnonzero(places["kind"] == IMAGE)
    packed, places = pack_names([names[index] for index in kept]), places[kept]
    arrays = {
        "starts": places["start"],
        "labels": labels[kept],
        "name_ends": packed.ends,
        "lengths": places["length"],
        "checksums": places["checksum"],
        "shapes": np.stack([places[name] for name in ("height", "width", "channels")], 1),
    }
    text = json.dumps(left_out).encode()
    head = INDEX.pack(len(kept), len(packed.text), len(text))
    return b"".join(
        [head, *(arrays[name].astype(kind).tobytes() for name, kind, _ in ARRAYS), packed.text.tobytes(), text]
    )


def _finish(file: io.BufferedRandom, opening: bytes, entries: list[Kept], index: bytes) -> None:
    """Append the table of the entry points, and the index; once they are on the disk, name them in the preamble."""
    file.seek(0, os.SEEK_END)
    seal, library = 0, load()
    if entries and library is not None:
        seal = file.tell()
        table, words = sealed(entries, seal + SEAL.size, library)
        file.write(words + table)
    file.write(bytes(-file.tell() % 8))  # its numbers lie on whole multiples of their size
    start = file.tell()
    file.write(index)
    _to_disk(file)
    header = json.loads(opening[PREAMBLE.size :])
    file.seek(0)
    file.write(_opening(header, (checksum(index), start, len(index), seal)))
    _to_disk(file)


def _to_disk(file: io.BufferedRandom) -> None:
    """Have everything written, and read again from the disk rather than from memory."""
    file.flush()
    os.fsync(file.fileno())
    drop_from_memory(file.fileno())


def size_so_far(target: Path) -> int:
    """Bytes of `target` that are on the disk already, finished or not."""
    return sum(path.stat().st_size for path in (target, target.with_name(target.name + PARTIAL)) if path.exists())


def part_names(split: str, images: int, shard_size: int | None) -> dict[str, range]:
    """The file names of a split, each with the images that go there."""
    if shard_size is None:
        return {f"{split}.cnnbench": range(images)}
    starts = itertools.count(0, shard_size)
    parts = itertools.takewhile(lambda start: start < images, starts)
    return {
        f"{split}-{number:05d}.cnnbench": range(start, min(start + shard_size, images))
        for number, start in enumerate(parts)
    }
