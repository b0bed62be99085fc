"""The side index: what it says of a file's content, and that a damaged or foreign one costs time and never pixels."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import odd_pictures
import pytest
from photos import encoded, mosaic
from PIL import Image

from cnnbench.data.commands.decoder_index import DIFFERENT, INDEXED, OTHER, Finder
from cnnbench.data.decode import jpeg_engines
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.entry_index import EVERY, REFERENCE, EntryIndex, Place, open_indices, writing_index
from cnnbench.data.decode.jpeg_engines import by_index
from cnnbench.data.decode.native.library import Library
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.layouts.index import find_side_indices
from cnnbench.data.layouts.read import read_listing

BOX = (150, 100, 60, 70)


@pytest.fixture(scope="module")
def files(sample) -> list[bytes]:
    photo = mosaic(sample, 333, 205)
    return [encoded(photo, quality=quality, subsampling=quality % 3) for quality in (70, 80, 90)]


@pytest.fixture
def path(native, files, tmp_path) -> Path:
    with writing_index(tmp_path / "index", 0o600, native) as index:
        for content in files[:2]:
            index.add(native.key(content), native.entry_points(content, EVERY))
        index.add(native.key(files[2]), REFERENCE)
        index.add(native.key(files[0]), native.entry_points(files[0], EVERY))  # a copy
    return tmp_path / "index"


def pixels_of(content: bytes, path: Path | None) -> np.ndarray:
    places = () if path is None else (Place(path),)
    return open_picture(content, "x", make_engine("native", looks=by_index(places))).region(*BOX)


def opened(native: Library, *paths: Path) -> EntryIndex:
    return open_indices([Place(path) for path in paths], native)


def kept_of(native: Library, index: EntryIndex, content: bytes) -> tuple[int, bytes] | None:
    """The spacing and the bytes of a file's entry points; None where it is left to the reference decoder."""
    look = native.look(content, index.for_library)
    if look is None:
        return None
    return look.entries.every, ctypes.string_at(look.entries.bytes, look.entries.length)


def test_entry_points_are_found_by_content(native, files, path):
    index = opened(native, path)
    assert len(index) == 3
    for content in files[:2]:
        made = native.entry_points(content, EVERY)
        assert made is not None
        assert kept_of(native, index, content) == (EVERY, made.bytes)
    assert kept_of(native, index, files[2]) is None
    assert kept_of(native, index, files[0] + b"x") == (0, b"")
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
    assert jpeg_engines.native(False, by_index([Place(path)]))(files[2]) is None  # left to the reference
    assert jpeg_engines.native(False, by_index([]))(files[2]) is not None


def test_several_side_indices_are_one(native, files, path, tmp_path):
    """As those of packed files, one each; of a file in two of them either entries serve."""
    others = []
    for number, content in enumerate((files[0], encoded(Image.new("RGB", (64, 64))))):
        with writing_index(tmp_path / str(number), 0o600, native) as index:
            index.add(native.key(content), native.entry_points(content, EVERY))
        others.append(tmp_path / str(number))
    joined = opened(native, path, *others, tmp_path / "none")
    assert len(joined) == 4
    for content in (*files[:2], encoded(Image.new("RGB", (64, 64)))):
        made = native.entry_points(content, EVERY)
        assert made is not None
        assert kept_of(native, joined, content) == (EVERY, made.bytes)


def test_a_damaged_index_costs_time_and_no_pixels(native, files, path, tmp_path):
    whole = path.read_bytes()
    expected = [open_picture(content, "x", pillow).region(*BOX) for content in files]
    unusable, other = 0, tmp_path / "damaged"
    for place in range(0, len(whole), 61):
        other.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        unusable += len(opened(native, other)) == 0
        for content, pixels in zip(files, expected, strict=True):
            assert np.array_equal(pixels_of(content, other), pixels)
    assert unusable > 0
    for content in (b"", b"x" * 1000, whole[:-1], whole[:50]):
        other.write_bytes(content)
        assert len(opened(native, other)) == 0
    assert len(opened(native, tmp_path / "none")) == 0


def test_an_empty_index_is_one(native, files, tmp_path):
    with writing_index(tmp_path / "index", 0o600, native):
        pass
    assert kept_of(native, opened(native, tmp_path / "index"), files[0]) == (0, b"")


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
    (found,) = find_side_indices(data, "train")
    assert found.path.parent.parent == tmp_path / "cache"
    os.chmod(found.path, 0o666)
    assert not find_side_indices(data, "train"), "anybody could have written it"
    done = command("data", "index", f"data={data}", "decoder=true", "beside=true", "split=val", "workers=0")
    assert done.returncode == 0, done.stderr
    assert find_side_indices(data, "val")[0] == Place(data / ".cnnbench-index-val-decoder")
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
    assert kept[1] == REFERENCE
