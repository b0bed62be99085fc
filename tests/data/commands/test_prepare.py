"""`cnnbench data prepare`: the raw tars become the class folders that they were made of, whatever happens meanwhile."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import tarfile
import time
from collections import namedtuple
from pathlib import Path

import pytest
from archives import WNIDS, add, make_folders, make_raw_tars, make_shards, tar_of

from cnnbench.config.data import SourceConfig
from cnnbench.config.data_commands import PrepareConfig
from cnnbench.data.commands import prepare as module
from cnnbench.data.commands.prepare import prepare
from cnnbench.runtime.errors import UserError


@pytest.fixture
def folders(sample: Path, tmp_path: Path) -> Path:
    return make_folders(sample, tmp_path / "folders")


@pytest.fixture
def raw(folders: Path, tmp_path: Path) -> Path:
    return make_raw_tars(folders, tmp_path / "raw")


def settings(data: Path, output: Path, workers: int = 0, **keys) -> PrepareConfig:
    return PrepareConfig(SourceConfig(path=str(data)), str(output), workers=workers, **keys)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_raw_tars_become_class_folders(raw, folders, tmp_path, capsys):
    prepare(settings(raw, tmp_path / "output", workers=2))
    assert content(tmp_path / "output") == content(folders)
    assert sorted(os.listdir(tmp_path / "output")) == ["train", "val"]
    printed = capsys.readouterr().out
    assert "train: 18 images of 3 classes\n  997 of ILSVRC's 1,000 classes are missing: n01443537, " in printed
    assert "3 classes do not have 732 to 1,300 images as in ILSVRC: n01440764, n02119789, n03255030\n" in printed
    assert "18 images, where ILSVRC has 1,281,167" in printed
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "output").rglob("*")}
    prepare(settings(raw, tmp_path / "output"))  # a repetition finds that nothing is left to do
    assert times == {file: file.stat().st_mtime_ns for file in (tmp_path / "output").rglob("*")}


def test_a_split_has_its_name_once_its_images_are_on_the_disk(raw, tmp_path, disk_calls):
    prepare(settings(raw, tmp_path / "output", splits=["val"]))
    assert disk_calls[-2:] == [("sync", "all"), ("name", "val")]


def test_the_command(command, raw, folders, tmp_path):
    done = command("data", "prepare", f"data={raw}", "output=unpacked", "splits=[val]")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "unpacked/val") == content(folders / "val")


def test_shards_can_be_unpacked_too(folders, tmp_path):
    shards = make_shards(folders, tmp_path / "shards", "cls")
    prepare(settings(shards, tmp_path / "output"))
    assert content(tmp_path / "output") == content(folders)


def test_killed_in_the_middle_and_repeated(raw, folders, tmp_path, monkeypatch):
    output, partial = tmp_path / "output", tmp_path / "output/train.partial"
    read = module.Ranges.read

    def slow_read(self, number):
        time.sleep(0.05)
        return read(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(module.Ranges, "read", slow_read)
        victim = multiprocessing.get_context("fork").Process(target=prepare, args=(settings(raw, output),))
        victim.start()
        deadline = time.monotonic() + 30
        while not (partial / WNIDS[0]).is_dir():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
    assert os.listdir(output) == ["train.partial"]
    first = partial / WNIDS[0]
    assert content(first) == content(folders / "train" / WNIDS[0])
    assert not (partial / WNIDS[2]).exists()
    for file in first.iterdir():
        os.utime(file, (1, 1))
    prepare(settings(raw, output))
    assert content(output) == content(folders)
    # what was whole was not done again
    assert {file.stat().st_mtime for file in (output / "train" / WNIDS[0]).iterdir()} == {1}


def test_a_class_folder_that_a_crash_left_incomplete_is_made_anew(raw, folders, tmp_path):
    left = tmp_path / "output/train.partial" / WNIDS[1]
    left.mkdir(parents=True)
    (left / f"{WNIDS[1]}_0.png").write_bytes(b"")
    prepare(settings(raw, tmp_path / "output"))
    assert content(tmp_path / "output") == content(folders)


def test_nothing_is_overwritten(raw, folders, tmp_path):
    shutil.copytree(folders, tmp_path / "output")
    changed = tmp_path / "output/val" / WNIDS[0] / "mine.png"
    changed.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"output/val is there with other content"):
        prepare(settings(raw, tmp_path / "output"))
    assert changed.read_bytes() == b"mine"


def test_two_at_once(raw, tmp_path):
    partial = tmp_path / "output/train.partial"
    partial.mkdir(parents=True)
    with module._alone(partial), pytest.raises(UserError, match="another process is unpacking"):
        prepare(settings(raw, tmp_path / "output"))


def test_a_full_disk(raw, folders, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(100))
        with pytest.raises(UserError, match=r"has 100 bytes free, and about .* are needed"):
            prepare(settings(raw, tmp_path / "output"))
    with monkeypatch.context() as patch:
        patch.setattr(module.Ranges, "read", _no_space)
        with pytest.raises(UserError, match=r"output is full: make room and repeat the command"):
            prepare(settings(raw, tmp_path / "output", workers=2))
    assert not (tmp_path / "output/train").exists()
    prepare(settings(raw, tmp_path / "output"))
    assert content(tmp_path / "output") == content(folders)


def _no_space(self, number):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "file")


def test_bad_archives_leave_nothing_behind(raw, tmp_path):
    archive = raw / "ILSVRC2012_img_train.tar"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:9000])
    with pytest.raises(UserError, match=r"img_train\.tar is cut short"):
        prepare(settings(raw, tmp_path / "output"))
    link = tarfile.TarInfo("n01440764_1.JPEG")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(raw / "inner.tar", "w") as tar:
        add(tar, "n01440764_0.JPEG", b"0")
        tar.addfile(link)
    archive.write_bytes(tar_of({"n01440764.tar": (raw / "inner.tar").read_bytes()}))
    with pytest.raises(UserError, match=r"is refused: its member 'n01440764_1.JPEG' is a link"):
        prepare(settings(raw, tmp_path / "output"))
    archive.write_bytes(tar_of({"n01440764.tar": tar_of({"a/0.JPEG": b"0", "b/0.JPEG": b"1"})}))
    with pytest.raises(UserError, match="n01440764 has two images of one file name"):
        prepare(settings(raw, tmp_path / "output"))
    assert not (tmp_path / "output").exists()


def test_a_label_that_leads_elsewhere(tmp_path):
    (tmp_path / "train-0.tar").write_bytes(tar_of({"a.jpg": b"1", "a.cls": b"../../evil"}))
    with pytest.raises(UserError, match=r"the class '\.\./\.\./evil' cannot be the name of a folder"):
        prepare(settings(tmp_path, tmp_path / "output", splits=["train"]))


def test_class_folders_need_no_unpacking(folders, tmp_path):
    with pytest.raises(UserError, match="not in archives but in files: there is nothing to unpack"):
        prepare(settings(folders, tmp_path / "output"))
