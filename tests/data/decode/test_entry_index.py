"""The side index: what it says of a file's content, and that a damaged or foreign one costs time and never pixels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import odd_pictures
import pytest
from photos import encoded, mosaic

from cnnbench.data.commands.decoder_index import DIFFERENT, INDEXED, OTHER, Finder
from cnnbench.data.decode import entry_index, jpeg_engines
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.entry_index import EVERY, REFERENCE, open_index, to_keep, writing_index
from cnnbench.data.decode.native import library
from cnnbench.data.decode.native.library import EntryPoints, Library
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.layouts.index import find_side_index
from cnnbench.data.layouts.read import read_listing

BOX = (150, 100, 60, 70)


@pytest.fixture(scope="module")
def native() -> Library:
    found = library.load()
    if found is None:
        pytest.skip("the library was not built: no C compiler here")
    return found


@pytest.fixture(scope="module")
def files(sample) -> list[bytes]:
    photo = mosaic(sample, 333, 205)
    return [encoded(photo, quality=quality, subsampling=quality % 3) for quality in (70, 80, 90)]


@pytest.fixture
def path(native, files, tmp_path) -> Path:
    with writing_index(tmp_path / "index", 0o600) as index:
        for content in files[:2]:
            index.add(to_keep(native.key(content), native.entry_points(content, EVERY)))
        index.add(to_keep(native.key(files[2]), None))
        index.add(to_keep(native.key(files[0]), native.entry_points(files[0], EVERY)))  # a copy
    return tmp_path / "index"


def pixels_of(content: bytes, path: Path | None) -> np.ndarray:
    return open_picture(content, "x", make_engine("native", side_index=path)).region(*BOX)


def test_entry_points_are_found_by_content(native, files, path):
    index = open_index(path)
    assert index is not None
    assert len(index) == 3
    found = index.find(native.key(files[1]))
    assert isinstance(found, EntryPoints)
    made = native.entry_points(files[1], EVERY)
    assert made is not None
    assert np.array_equal(found.positions, made.positions)
    assert np.array_equal(found.dc, made.dc)
    assert index.find(native.key(files[2])) == REFERENCE
    assert index.find(native.key(files[0] + b"x")) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_byte_of_a_file_is_in_its_key(native, files):
    content, key = bytearray(files[0]), native.key(files[0])
    for place in [*range(0, len(content), 97), len(content) - 1]:
        content[place] ^= 1
        assert native.key(bytes(content)) != key
        content[place] ^= 1
    assert native.key(bytes(content)) == key
    assert native.key(b"") != native.key(b"\0") != native.key(b"\0\0")


def test_boxes_decoded_by_way_of_entries_have_the_same_pixels(files, path):
    for content in files:
        assert np.array_equal(pixels_of(content, path), open_picture(content, "x", pillow).region(*BOX))
    assert jpeg_engines.native(False, path)(files[2]) is None  # left to the reference
    assert jpeg_engines.native(False, None)(files[2]) is not None


def test_a_damaged_index_costs_time_and_no_pixels(files, path, tmp_path):
    whole = path.read_bytes()
    expected = [open_picture(content, "x", pillow).region(*BOX) for content in files]
    unusable, other = 0, tmp_path / "damaged"
    for place in range(0, len(whole), 61):
        other.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        unusable += open_index(other) is None
        for content, pixels in zip(files, expected, strict=True):
            assert np.array_equal(pixels_of(content, other), pixels)
    assert unusable > 0
    for content in (b"", b"x" * 1000, whole[:-1], whole[:50]):
        other.write_bytes(content)
        assert open_index(other) is None
    assert open_index(tmp_path / "none") is None


def test_an_empty_index_is_one(tmp_path):
    with writing_index(tmp_path / "index", 0o600):
        pass
    index = open_index(tmp_path / "index")
    assert index is not None
    assert index.find(123) is None


def test_the_command_makes_it_and_training_finds_it(native, command, files, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    for split in ("train", "val"):
        for number, content in enumerate((*files, odd_pictures.saved(progressive=True), b"no picture")):
            folder = data / split / ("a", "b")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.JPEG").write_bytes(content)
    done = command("data", "index", f"data={data}", "decoder=true", "workers=0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("decoder: 3 with entry points, 2 of other kinds") == 2
    found = find_side_index(data, "train")
    assert found is not None
    assert found.parent.parent == tmp_path / "cache"
    os.chmod(found, 0o666)
    assert find_side_index(data, "train") is None, "anybody could have written it"
    done = command("data", "index", f"data={data}", "decoder=true", "beside=true", "split=val", "workers=0")
    assert done.returncode == 0, done.stderr
    assert find_side_index(data, "val") == data / ".cnnbench-index-val-decoder"
    assert command("data", "index", f"data={data}").stdout.count("2 own classes, 5 images") == 2, (
        "not taken for a picture"
    )


def test_files_that_come_out_otherwise_are_left_to_the_reference(native, files, tmp_path, monkeypatch):
    folder = tmp_path / "data/train/a"
    folder.mkdir(parents=True)
    for number, content in enumerate((files[0], files[1][:3000], b"x")):
        (folder / f"{number}.JPEG").write_bytes(content)
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    finder = Finder(read_listing(tmp_path / "data", "train"))
    assert [finder(number)[0] for number in range(3)] == [INDEXED, OTHER, OTHER]
    monkeypatch.setattr(Library, "region", lambda self, content, box, out, entries=None: bool(out.fill(1) or True))
    kind, kept = finder(0)
    assert kind == DIFFERENT
    assert kept is not None
    assert kept.every == entry_index.REFERENCE
