"""The index of a listing: used while it is true, and only then."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts import class_folders, index
from cnnbench.data.layouts.listing import Listing
from cnnbench.data.layouts.read import read_split
from cnnbench.data.storage.files import Files, Pixels, pack_names
from cnnbench.runtime.errors import UserError

LAYOUT = "class folders"


@pytest.fixture
def data(small_data: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of small_data that has not been changed for an hour, and counts as quiet, though its folders' second times
    cannot be put back."""
    monkeypatch.setattr(index, "QUIET", -60)
    root = tmp_path / "data"
    shutil.copytree(small_data, root)
    age(root)
    return root


def age(root: Path) -> None:
    before = time.time() - 3600
    for folder, _, _ in os.walk(root):
        os.utime(folder, (before, before))


def contents(root: Path) -> list[tuple[str, int]]:
    split = read_split(DataConfig(path=str(root)), "train")
    return [(split.name(number), int(label)) for number, label in enumerate(split.labels)]


def test_second_start_reads_the_index_and_finds_the_same(data, monkeypatch):
    first = contents(data)
    path, listing = index.find(data, "train", LAYOUT)
    assert path == index.cache_file(data, "train")
    assert not listing.labels.flags.writeable
    assert listing.labels.ctypes.data % index.ALIGNMENT == 0
    monkeypatch.setattr(class_folders, "list_images", None)
    assert contents(data) == first


def test_an_index_is_on_the_disk_before_it_has_its_name(data, disk_calls):
    contents(data)
    name = index.cache_file(data, "train").name
    assert disk_calls == [("sync", f".{name}.{os.getpid()}"), ("name", name), ("sync", "index")]


def test_a_folder_that_changed_just_now_is_looked_at_again(small_data, tmp_path, cache):
    shutil.copytree(small_data, tmp_path / "data")
    (tmp_path / "data/train/bag/one more.png").write_bytes(b"")
    contents(tmp_path / "data")
    assert index.find(tmp_path / "data", "train", LAYOUT) is None


def test_every_change_is_seen(data):
    def change(what: str) -> None:
        if what == "file added":
            shutil.copy(next((data / "train/bag").iterdir()), data / "train/bag/zzz.png")
        elif what == "file gone":
            (data / "train/bag/zzz.png").unlink()
        elif what == "class added":
            shutil.copytree(data / "train/sandal", data / "train/anorak")
        elif what == "class gone":
            shutil.rmtree(data / "train/anorak")

    before = contents(data)
    for what, difference in (("file added", 1), ("file gone", -1), ("class added", 20), ("class gone", -20)):
        assert index.find(data, "train", LAYOUT) is not None
        change(what)
        assert index.find(data, "train", LAYOUT) is None, what
        now = contents(data)
        assert len(now) - len(before) == difference, what
        before = now
        age(data)
        contents(data)


def test_a_change_is_seen_though_the_times_of_the_folders_are_put_back(data, monkeypatch):
    monkeypatch.setattr(index, "times_tell", lambda root, stamps: True)
    contents(data)
    assert index.find(data, "train", LAYOUT) is not None
    before = os.stat(data / "train/bag").st_mtime_ns
    (data / "train/bag/zzz.png").write_bytes(b"")
    os.utime(data / "train/bag", ns=(before, before))
    assert len(contents(data)) == 62


def unmoved(paths) -> dict[str, list[int]]:
    """Times as mounts have them that keep none of their own: of the start, a different one for each path."""
    return {path: [len(path), number + 1] for number, path in enumerate(paths)}


def all_the_same(paths) -> dict[str, list[int]]:
    return {path: [10**18, 10**18] for path in paths}


def of_the_epoch(paths) -> dict[str, list[int]]:
    return {path: [number, 0] for number, path in enumerate(paths)}


@pytest.mark.parametrize(
    ("stamps", "kind"),
    [(unmoved, "fuse.s3fs"), (unmoved, "9p"), (all_the_same, "ext4"), (all_the_same, None), (of_the_epoch, "overlay")],
)
def test_where_times_of_folders_do_not_move_their_names_are_compared(data, monkeypatch, stamps, kind):
    monkeypatch.setattr(index, "_stamps", stamps)
    monkeypatch.setattr(index, "file_system", lambda path: kind)
    contents(data)
    assert index.find(data, "train", LAYOUT) is not None, "the same names: the index serves"
    (data / "train/bag/zzz.png").write_bytes(b"")
    assert len(contents(data)) == 62
    (data / "train/bag/zzz.png").rename(data / "train/bag/yyy.png")
    assert any(name.endswith("yyy.png") for name, _ in contents(data))
    assert index.find(data, "train", LAYOUT) is not None
    shutil.rmtree(data / "train/bag")
    assert len(contents(data)) == 41


def test_where_times_move_no_folder_is_listed(data, monkeypatch):
    monkeypatch.setattr(index, "_stamps", unmoved)
    contents(data)
    monkeypatch.setattr(index, "file_system", lambda path: "ext4")
    monkeypatch.setattr(index, "names_are_same", None)
    assert index.find(data, "train", LAYOUT) is not None


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(index, "MOUNTS", mounts)
    assert index.file_system(tmp_path) is None
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"36 22 0:5 / {tmp_path} rw,noatime shared:2 - fuse.s3fs s3fs rw\n"
        f"37 22 0:6 / {tmp_path}x rw - nfs4 server:/ rw\n"
    )
    assert index.file_system(tmp_path) == "fuse.s3fs"
    assert index.file_system(tmp_path / "below") == "fuse.s3fs"
    assert index.file_system(Path(f"{tmp_path}x/y")) == "nfs4"
    assert index.file_system(tmp_path.parent) == "ext4"


def test_check_and_index_look_anew(data, command, monkeypatch):
    contents(data)
    monkeypatch.setattr(index, "_stamps", all_the_same)
    monkeypatch.setattr(index, "names_are_same", lambda listing: True)
    contents(data)
    shutil.copy(next((data / "train/bag").iterdir()), data / "train/bag/zzz.png")
    assert len(contents(data)) == 61, "what a start would believe"
    assert "train: 62 images" in command("data", "check", f"data={data}", "splits=[train]", "workers=0").stdout
    assert "62 images" in command("data", "index", f"data={data}", "split=train").stdout
    assert len(contents(data)) == 62


def test_another_layout_split_or_place_has_another_index(data):
    contents(data)
    assert index.find(data, "train", LAYOUT) is not None
    assert index.find(data, "train", "another layout") is None
    assert index.find(data, "val", LAYOUT) is None
    moved = data.rename(data.with_name("moved"))
    assert index.find(data, "train", LAYOUT) is None
    shutil.copy(index.cache_file(data, "train"), index.cache_file(moved, "train"))
    assert index.find(moved, "train", LAYOUT) is None


def test_a_damaged_index_is_ignored_and_replaced(data):
    expected = contents(data)
    path = index.cache_file(data, "train")
    whole = path.read_bytes()
    damaged = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(0, len(whole), 97)]
    damaged += [whole[:length] for length in (0, 5, 31, 32, 100, len(whole) // 2, len(whole) - 1)]
    damaged += [whole + b"\0", b"\xff" * 200]
    assert len(damaged) > 40
    for content in damaged:
        path.write_bytes(content)
        assert index.find(data, "train", LAYOUT) is None
    assert contents(data) == expected
    assert path.read_bytes() == whole


def test_beside_the_data_and_not_where_it_would_hurt(data):
    contents(data)
    listing = index.find(data, "train", LAYOUT)[1]
    path = index.keep_beside(listing, data, "train", LAYOUT)
    index.cache_file(data, "train").unlink()
    assert index.find(data, "train", LAYOUT)[0] == path == data / ".cnnbench-index-train"
    with pytest.raises(UserError, match="leave out beside=true"):
        index.keep_beside(class_folders.list_folder(data / "train"), data / "train", "val", LAYOUT)


def test_every_kind_of_storage_survives(tmp_path):
    names = pack_names(["a", os.fsdecode(b"b\xe9 d.JPEG"), ""])
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    (tmp_path / "seen").mkdir()
    for storage in (Files(str(tmp_path), names), Pixels(pixels, os.fsdecode(b"\xff"))):
        labels = np.arange(len(storage))[::-1].copy()
        listing = Listing("here", tuple("ab"), labels, storage, (str(tmp_path / "seen"),))
        index.keep(tmp_path / ".cnnbench-index-val", listing, tmp_path, "val", LAYOUT)
        found = index.find(tmp_path, "val", LAYOUT)[1]
        assert (found.source, found.classes, found.depends) == ("here", ("a", "b"), listing.depends)
        assert np.array_equal(found.labels, labels)
        assert type(found.storage) is type(storage)
        assert [found.storage.name(i) for i in range(len(storage))] == [storage.name(i) for i in range(len(storage))]
    assert np.array_equal(found.storage.pixels, pixels)


@dataclass(frozen=True)
class Foreign:
    """A storage that is not of this package, as a forged index could name one."""

    root: str = ""

    def __len__(self) -> int:
        return 1


def test_classes_of_other_packages_are_not_made(tmp_path):
    assert sys.modules[Foreign.__module__].Foreign is Foreign
    (tmp_path / "seen").mkdir()
    listing = Listing("here", ("a",), np.zeros(1, np.int64), Foreign(), (str(tmp_path / "seen"),))
    index.keep(tmp_path / ".cnnbench-index-val", listing, tmp_path, "val", LAYOUT)
    assert index.find(tmp_path, "val", LAYOUT) is None


def test_nothing_half_written_is_left(data, monkeypatch):
    listing = class_folders.list_images(data, "train")
    folder = data.parent / "kept"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        index.keep(folder / "index", listing, data, "train", LAYOUT)
    assert not list(folder.iterdir())
    cache = index.cache_file(data, "train").parent
    cache.mkdir(parents=True, exist_ok=True)
    before = set(cache.iterdir())
    assert len(contents(data)) == 61, "a cache that cannot be written does not hinder"
    assert set(cache.iterdir()) == before


def test_a_disk_that_vanishes_is_one_sentence(data, monkeypatch):
    scan = os.scandir

    def vanished(path):
        if str(path).endswith("sandal"):
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanished)
    with pytest.raises(UserError, match=r"^cannot read .*/train/sandal: Stale file handle$"):
        read_split(DataConfig(path=str(data)), "train")


def test_command(command, data):
    first = command("data", "index", f"data={data}").stdout
    assert f"{data}: class folders" in first
    assert "train  3 own classes, 61 images" in first
    assert "val    3 own classes, 23 images" in first
    assert command("data", "index", f"data={data}").stdout.count("index up to date") == 2
    beside = command("data", "index", f"data={data}", "beside=true", "split=train").stdout
    assert f"index: {data}/.cnnbench-index-train" in beside
    shutil.rmtree(data / "val")
    done = command("data", "index", f"data={data}")
    assert done.returncode == 2
    assert "has no val/ folder" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "train  3 own classes" in done.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("data", "index"), "give data=PATH"),
        (("data", "index", "data=synthetic:3y4"), "synthetic:CLASSESxIMAGES"),
        (("data", "indx"), "did you mean data index"),
        (("train", "data.classes=/no/such/file"), "no such file"),
    ],
)
def test_mistakes_are_one_line(command, words, hint):
    done = command(*words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
