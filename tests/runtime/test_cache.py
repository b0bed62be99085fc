"""What others could have written is not trusted: a folder or a file of the cache, an index beside a data set."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import time
from pathlib import Path

import pytest

from cnnbench.data.commands.journal import Journal
from cnnbench.data.layouts import index
from cnnbench.data.layouts.read import read_listing
from cnnbench.data.layouts.shard_cache import cached
from cnnbench.data.sample import sample
from cnnbench.data.sample.sample import sample_folder
from cnnbench.data.storage import remote
from cnnbench.runtime import cache, measured
from cnnbench.runtime.cache import own_cache_folder
from cnnbench.runtime.errors import UserError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
SOMEBODY = 54321
TAKEN = {
    "somebody's": lambda path: os.chown(path, SOMEBODY, SOMEBODY),
    "open to the group": lambda path: path.chmod(0o770),
    "open to all": lambda path: path.chmod(0o707),
}
taken = pytest.mark.parametrize("how", [pytest.param(how, marks=[as_root] if how[0] == "s" else []) for how in TAKEN])


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """An empty cache folder, which is not there yet; the sample that it gets has one file."""
    with tarfile.open(tmp_path / "sample.tar", "w") as tar:
        tar.add(__file__, "train/bag/1.png")
    monkeypatch.setattr(sample, "ARCHIVE", tmp_path / "sample.tar")
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data(small_data, tmp_path) -> Path:
    """A data set that was last changed long ago, whose index is kept in the cache."""
    shutil.copytree(small_data, tmp_path / "data")
    for folder in (tmp_path / "data").rglob("*"):
        os.utime(folder, (0, 0))
    return tmp_path / "data"


def test_a_folder_is_made_for_nobody_else_to_write_to(own):
    old = os.umask(0)
    try:
        assert own_cache_folder("index") == own / "index"
        assert [stat.S_IMODE(path.stat().st_mode) for path in (own, own / "index")] == [0o700] * 2
        own.chmod(0o777)
        own_cache_folder("index")
        assert stat.S_IMODE(own.stat().st_mode) == 0o755  # as an earlier version has left it
    finally:
        os.umask(old)


@as_root
def test_a_folder_that_somebody_has_made_first_is_never_used(own, command, small_data):
    own.mkdir(mode=0o777)
    os.chown(own, SOMEBODY, SOMEBODY)
    for use in (own_cache_folder, sample_folder):
        with pytest.raises(UserError, match=rf"cache folder {own} is not this user's own: set CNNBENCH_CACHE"):
            use()
    done = command("data", "check", f"data={small_data}", "workers=0")
    assert (done.returncode, done.stderr) == (0, "")  # it merely cannot be resumed
    assert list(own.iterdir()) == []


@taken
def test_an_index_that_others_can_have_written_is_made_anew(own, data, monkeypatch, how):
    monkeypatch.setattr(index, "QUIET", 0.0)
    time.sleep(0.02)
    expected = read_listing(data, "train")
    [file] = (own / "index").iterdir()
    assert index.find(data, "train", "class folders")[0] == file
    for place in (file, file.parent):
        TAKEN[how](place)
        assert index.find(data, "train", "class folders") is None
        assert index.is_same(read_listing(data, "train"), expected)
        shutil.rmtree(own)
        read_listing(data, "train")
        assert index.find(data, "train", "class folders") is not None


@as_root
def test_an_index_beside_the_data_may_be_of_the_datas_owner(own, data, monkeypatch):
    listing = read_listing(data, "train")
    file = index.keep_beside(listing, data, "train", "class folders")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert index.find(data, "train", "class folders")[0] == file
    os.chown(file, SOMEBODY, SOMEBODY)
    assert index.find(data, "train", "class folders") is None
    os.chown(data, SOMEBODY, SOMEBODY)
    found = index.find(data, "train", "class folders")
    assert found is None or found[0] == file  # the owner's change of the folder may count as a change of the data
    os.chown(file, SOMEBODY + 1, SOMEBODY)
    assert index.find(data, "train", "class folders") is None


@taken
def test_a_sample_that_others_can_have_written_is_refused(own, how):
    folder = sample_folder()
    assert sample_folder() == folder
    TAKEN[how](folder)
    with pytest.raises(UserError, match=rf"the sample in {folder} is not this user's own"):
        sample_folder()


@taken
def test_headers_of_shards_that_others_can_have_written_are_read_anew(own, monkeypatch, how):
    monkeypatch.setattr(remote, "info", lambda url: {"size": 1})
    read = []

    def look(url: str) -> list[list[str]]:
        read.append(url)
        return [["a label"]]

    for _ in range(2):
        assert cached("http://host/a.tar", look) == [["a label"]]
    assert len(read) == 1
    [file] = (own / "shards").iterdir()
    TAKEN[how](file)
    assert cached("http://host/a.tar", look) == [["a label"]]
    assert len(read) == 2
    file.write_text(file.read_text().replace("a label", "another"))
    assert cached("http://host/a.tar", look) == [["a label"]], "its seal does not fit"
    assert len(read) == 3


@taken
def test_what_others_can_have_measured_is_measured_again(own, how):
    def kept() -> Path:
        measured.kept("times.json", "a network", {"seconds": 1.0})
        assert measured.known("times.json") == {"a network": {"seconds": 1.0}}
        return own / "times.json"

    TAKEN[how](kept())
    assert measured.known("times.json") == {}
    shutil.rmtree(own)
    TAKEN[how](kept().parent)
    assert measured.known("times.json") == {}


@taken
def test_notes_of_a_check_that_others_can_have_written_are_not_taken_over(own, data, how):
    from cnnbench.config.data import SourceConfig
    from cnnbench.data.layouts.read import read_split

    split = read_split(SourceConfig(path=str(data)), "train")
    journal = Journal("train", split)
    list(journal.resume())
    journal.close()
    TAKEN[how](journal.path)
    assert Journal("train", split).path is None


def test_what_killed_unpackings_have_left_is_removed(own, monkeypatch):
    own_cache_folder()
    for name in ("unpacking-old", "unpacking-new"):
        (own / name / "train").mkdir(parents=True)
    os.utime(own / "unpacking-old", (0, 0))
    sample_folder()
    assert [path.name for path in own.glob("unpacking-*")] == ["unpacking-new"]


def test_no_home_is_a_sentence_and_hinders_nothing_else(monkeypatch, small_data):
    for name in ("CNNBENCH_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where the system knows no such user
    with pytest.raises(UserError, match="this user has no home folder for caches: set CNNBENCH_CACHE"):
        cache.cache_folder()
    assert len(read_listing(small_data, "train").labels) == 61
