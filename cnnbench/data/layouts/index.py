"""A listing kept as one file of flat arrays, opened by memory mapping: its pages are shared by all processes.

The file: MAGIC, the checksum (CRC-32) of all that follows the prefix, the length of the header, the header as JSON, the
arrays, each at a multiple of 64 bytes. It lies in the cache folder or, where `cnnbench data index beside=true` put it,
beside the data. It is out of date when a folder or file that the listing depends on has changed: by its times, or, on
file systems that do not move those of folders (mounted object stores, images of containers), by the names in them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.data.decode.entry_index import Place
from cnnbench.data.decode.gathering import parts_in
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.scan import THREADS, fingerprint
from cnnbench.runtime.cache import cache_folder, is_own, own_cache_folder, remove_abandoned
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import replacing, writing

MAGIC = b"cnnbench index 3"
PREFIX = struct.Struct("<16sQQ")
ALIGNMENT = 64
BLOCK = 1 << 20
QUIET = 2.0  # seconds; file systems stamp changes with ticks of up to a second or two
MOUNTS = Path("/proc/self/mountinfo")  # of Linux
# File systems that move the times of a folder with each file that comes or goes. On others its names are compared.
KEEPS_TIMES = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "tmpfs", "ramfs", "overlay"),
        *("nfs", "nfs4", "lustre", "ceph", "gpfs", "beegfs", "wekafs", "apfs", "hfs", "ufs"),
    }
)
PACKAGE = "cnnbench.data."  # an index may name classes of these modules, and no others


def beside_file(root: Path, split: str) -> Path:
    """Where the index of a split lies beside its data."""
    return root / f".cnnbench-index-{split}"


def cache_file(root: Path, split: str) -> Path:
    """Where the index of a split lies in the cache folder."""
    return cache_folder() / "index" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}-{split}"


def side_index_file(index: Path) -> Path:
    """Where the entry points of a split lie (decode/entry_index.py), beside its `index`."""
    return index.with_name(f"{index.name}-decoder")


def side_folder(root: Path, split: str) -> Path | None:
    """Where parts of a side index go that runs make (decode/gathering.py); None if there is no place for caches."""
    try:
        return side_index_file(cache_file(root, split)).with_suffix(".parts")
    except UserError:
        return None


def find_side_indices(root: Path, split: str) -> tuple[Place, ...]:
    """The side indices of a split that nobody else can have written."""
    found = []
    with suppress(OSError, UserError):
        path = side_index_file(beside_file(root, split))
        if path.is_file() and is_own(path, root):
            found.append(Place(path))
    with suppress(OSError, UserError):
        path = side_index_file(cache_file(root, split))
        if path.is_file() and is_own(path) and is_own(path.parent):
            found.append(Place(path))
    with suppress(OSError, UserError):
        folder = side_folder(root, split)
        if folder is not None and is_own(folder) and is_own(folder.parent):
            found += parts_in(folder)
    return tuple(found)


def find(root: Path, split: str, layout: str) -> tuple[Path, Listing] | None:
    """The index of a split that is up to date, and its listing, whose arrays are read-only maps of the file.

    One that is damaged, that others can have written, or that was written by another version, counts as none.
    """
    for place in (beside_file, cache_file):
        try:
            path = place(root, split)
            owns = [is_own(path, root)] if place is beside_file else [is_own(path), is_own(path.parent)]
            if not all(owns):
                continue
            header, start = _read_header(path)
            if header["of"] != _identity(root, split, layout) or header["stamps"] != _stamps(header["stamps"]):
                continue
            listing = _restored(header["listing"], _arrays(path, header["arrays"], start))
            if times_tell(root, header["stamps"]) or names_are_same(listing):
                return path, listing
        except Exception:  # whatever a damaged one, or one that is not there, makes the reader raise
            continue
    return None


def is_settled(listing: Listing, since: float) -> bool:
    """Whether all that `listing` depends on was last changed well before `since`, in seconds, when listing began.

    Else a change could go unnoticed: while the folder was listed, or within the same tick of the file system's clock.
    """
    newest = max(time for stamp in _stamps(listing.depends).values() for time in stamp[:2])
    return newest / 1e9 < since - QUIET


def keep_in_cache(listing: Listing, root: Path, split: str, layout: str) -> Path:
    """Write the index of `listing` to the cache folder; where it lies. OSError if it cannot be written, UserError if
    the folder is not this user's own."""
    path = own_cache_folder("index") / cache_file(root, split).name
    remove_abandoned(path.parent, ".*")
    keep(path, listing, root, split, layout)
    return path


def keep(path: Path, listing: Listing, root: Path, split: str, layout: str, mode: int = 0o600) -> None:
    """Write the index of `listing` to `path`, whole or not at all, for those whom `mode` names. OSError if it cannot be
    written."""
    arrays: list[np.ndarray] = []
    tree = _plain(listing, arrays)
    places, end = [], 0
    for array in arrays:
        places.append([array.dtype.str, list(array.shape), end])
        end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    content = {
        "of": _identity(root, split, layout),
        "stamps": _stamps(listing.depends),
        "listing": tree,
        "arrays": places,
    }
    header = json.dumps(content).encode()
    header += b" " * (-(PREFIX.size + len(header)) % ALIGNMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch, open(scratch, "wb") as file:
        os.chmod(scratch, mode)
        file.write(PREFIX.pack(MAGIC, 0, len(header)))
        checksum = 0
        for block in (header, *_padded(arrays)):
            checksum = zlib.crc32(block, checksum)
            file.write(block)
        file.seek(0)
        file.write(PREFIX.pack(MAGIC, checksum, len(header)))


def keep_beside(listing: Listing, root: Path, split: str, layout: str) -> Path:
    """Write the index of `listing` beside the data; where it lies. UserError if that cannot be."""
    path = beside_file(root, split)
    if str(root) in listing.depends or not root.is_dir():
        raise UserError(f"an index beside {root} would change what it depends on: leave out beside=true")
    with writing(path, "leave out beside=true for the cache folder"):
        keep(path, listing, root, split, layout, 0o644)
    return path


def is_same(one: Listing, other: Listing) -> bool:
    """Whether two listings would be the same index."""
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    same = _plain(one, parts[0]) == _plain(other, parts[1])
    return same and all(map(np.array_equal, *parts))


def _identity(root: Path, split: str, layout: str) -> list[str]:
    return [str(root), split, layout]


def times_tell(root: Path, stamps: dict[str, list[int]]) -> bool:
    """Whether a change in the folders of `stamps` would show in their times: on a file system that is known to move
    them, and unless all folders have the same time of change, or none, which no work of people leaves."""
    changes = [stamp[1] for stamp in stamps.values() if len(stamp) == 2]
    if not changes or 0 in changes or (len(changes) > 1 and len(set(changes)) == 1):
        return not changes
    kind = file_system(root)
    return kind is None or kind in KEEPS_TIMES


def names_are_same(listing: Listing) -> bool:
    """Whether the folders hold the names that they had when they were listed. OSError for one that is gone."""
    with ThreadPoolExecutor(THREADS) as pool:
        prints = pool.map(lambda place: fingerprint(os.listdir(place)), [place for place, _ in listing.fingerprints])
        return all(now == then for now, (_, then) in zip(prints, listing.fingerprints, strict=True))


def file_system(path: Path) -> str | None:
    """The kind of file system that `path` lies on; None where the system does not say."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
        mounts = [(line.split()[4], line.partition(" - ")[2].split()[0]) for line in lines]
    except (OSError, IndexError):
        return None
    place = os.path.realpath(path)
    above = [(len(point), kind) for point, kind in mounts if f"{place}/".startswith(f"{point.rstrip('/')}/")]
    return max(above)[1] if above else None


def _stamps(paths: Any) -> dict[str, list[int]]:
    """Times in ns of the last change of each path: of its content, which copies may set back, and of the path, which
    they cannot; then the size in bytes of each file."""
    stamps = {}
    for path in paths:
        status = os.stat(path)
        size = [] if stat.S_ISDIR(status.st_mode) else [status.st_size]
        stamps[path] = [status.st_mtime_ns, status.st_ctime_ns, *size]
    return stamps


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of an index, and where its arrays start. ValueError if anything in the file is damaged.

    The whole file is read, not mapped, for the checksum: that warms the page cache and leaves nothing in this process.
    """
    with open(path, "rb", buffering=0) as file:
        magic, expected, length = PREFIX.unpack(file.read(PREFIX.size))
        if magic != MAGIC or length > os.fstat(file.fileno()).st_size:
            raise ValueError("no index of this version")
        header = file.read(length)
        checksum = zlib.crc32(header)
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    if checksum != expected:
        raise ValueError("damaged")
    return json.loads(header), PREFIX.size + length


def _arrays(path: Path, places: list, start: int) -> list[np.ndarray]:
    whole = np.memmap(path, np.uint8, "r").view(np.ndarray)
    arrays = []
    for dtype, shape, offset in places:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        arrays.append(whole[start + offset : start + offset + size].view(dtype).reshape(shape))
    return arrays


def _padded(arrays: list[np.ndarray]) -> Iterator[memoryview | bytes]:
    for array in arrays:
        yield array.reshape(-1).view(np.uint8).data
        yield bytes(-array.nbytes % ALIGNMENT)


def _plain(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` as JSON can hold it: a dataclass as its class and fields, an array as its number in `arrays`."""
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return {"array": len(arrays) - 1}
    if dataclasses.is_dataclass(value):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        fields = {item.name: _plain(getattr(value, item.name), arrays) for item in dataclasses.fields(value)}
        return {"kind": kind, "fields": fields}
    if isinstance(value, tuple):
        return [_plain(item, arrays) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"an index cannot hold a {type(value).__name__}")


def _restored(value: Any, arrays: list[np.ndarray]) -> Any:
    """The inverse of _plain. TypeError, ImportError or AttributeError for a class that is no longer the same."""
    if isinstance(value, list):
        return tuple(_restored(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    module, _, name = value["kind"].partition(":")
    kind = getattr(import_module(module), name) if module.startswith(PACKAGE) else None
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise TypeError(f"{value['kind']} is not a dataclass of this package")
    return kind(**{field: _restored(content, arrays) for field, content in value["fields"].items()})
