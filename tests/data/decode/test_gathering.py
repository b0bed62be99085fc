"""A side index made as files are met: parts that appear at once, are shared, and change no pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import odd_pictures
import pytest
from photos import encoded, mosaic

from cnnbench.config.arch import ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.decode import gathering
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.entry_index import EVERY
from cnnbench.data.decode.gathering import Gatherer, parts_in
from cnnbench.data.decode.native.library import Library
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading.loader import loader_of
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import EvaluationTransform

ARCH = ArchConfig(name="lenet", crop_ratio=1.0, interpolation="bilinear", mean=[0.5] * 3, std=[0.2] * 3)
BOX = (150, 100, 60, 70)


@pytest.fixture(scope="module")
def files(sample) -> list[bytes]:
    photo = mosaic(sample, 333, 205)
    return [encoded(photo, quality=quality, subsampling=quality % 3) for quality in range(80, 86)]


def gatherer(folder: Path) -> Gatherer:
    folder.mkdir(exist_ok=True)
    return Gatherer((), folder, make_engine("simplejpeg"))


def pixels_of(content: bytes, gatherer: Gatherer) -> np.ndarray:
    return open_picture(content, "x", make_engine("native", looks=gatherer)).region(*BOX)


def test_what_was_found_is_known_to_the_next_run_and_to_other_processes(native, files, tmp_path, monkeypatch):
    found: list[bytes] = []
    monkeypatch.setattr(gathering, "find_entries", counted(gathering.find_entries, found))
    one, other = gatherer(tmp_path), gatherer(tmp_path)
    look_one, look_other = one(native), other(native)
    for content in files:
        assert look_one(content).entries.every == look_one(content).entries.every == EVERY
    assert found == files, "once each"
    assert not parts_in(tmp_path), "nothing is written before there is enough"
    one.seal()
    assert len(parts_in(tmp_path)) == 1
    for content in files:
        assert look_other(content).entries.every == EVERY
        assert gatherer(tmp_path)(native)(content).entries.every == EVERY
        assert np.array_equal(pixels_of(content, other), open_picture(content, "x", pillow).region(*BOX))
    assert found == files, "the others learned of it"
    other.seal()
    assert len(parts_in(tmp_path)) == 1, "which had nothing to add"


def counted(function, seen: list[bytes]):
    def call(content, reference):
        seen.append(content)
        return function(content, reference)

    return call


def test_parts_are_written_as_they_become_full_and_grow(native, files, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "FIRST_PART", 1)
    look = gatherer(tmp_path)(native)
    counts = []
    for content in files:
        look(content)
        counts.append(len(parts_in(tmp_path)))
    assert counts == [1, 1, 2, 2, 2, 2]


def test_a_disk_that_is_full_and_parts_that_are_damaged_cost_time_and_no_pixels(native, files, tmp_path, monkeypatch):
    full = gatherer(tmp_path)
    look = full(native)
    look(files[0])
    with monkeypatch.context() as patch:
        patch.setattr(gathering, "writing_index", failing)
        full.seal()
    assert look(files[0]).entries.every == look(files[1]).entries.every == 0, "it is not tried again"
    whole = gatherer(tmp_path)
    for content in files:
        pixels_of(content, whole)
    whole.seal()
    ((part, _),) = parts_in(tmp_path)
    content = bytearray(part.read_bytes())
    for place in range(3, len(content), 97):
        content[place] ^= 0x41
    part.write_bytes(content)
    (tmp_path / ".half.1").write_bytes(content[:100])
    for file in files:
        assert np.array_equal(pixels_of(file, gatherer(tmp_path)), open_picture(file, "x", pillow).region(*BOX))


def failing(*_):
    raise OSError(28, "No space left on device")


def test_files_of_other_kinds_and_those_that_differ_are_left_to_others(native, files, tmp_path, monkeypatch):
    monkeypatch.setattr(Library, "region", lambda self, content, box, out, entries=None: bool(out.fill(1) or True))
    one = gatherer(tmp_path)
    look = one(native)
    assert look(files[0]) is None
    assert look(odd_pictures.saved(progressive=True)) is None
    one.seal()
    assert gatherer(tmp_path)(native)(files[0]) is None, "which is kept, too"


@pytest.mark.parametrize(("workers", "kind"), [(0, "process"), (2, "process"), (2, "thread")])
def test_loaders_make_it_in_the_cache_folder(native, files, tmp_path, monkeypatch, workers, kind):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data/train/a"
    folder.mkdir(parents=True)
    for number, content in enumerate(files):
        (folder / f"{number}.JPEG").write_bytes(content)
    data = DataConfig(path=str(tmp_path / "data"), engine="native", worker_kind=kind, decoder_index=True)
    order = [[SampleKey(0, number) for number in range(6)]]
    pixels = []
    for expected in (0, 6):
        split = read_split(data, "train")
        known = gathering.open_indices(split.side_indices, native)
        assert len(known) == expected
        with loader_of(split, EvaluationTransform(ARCH, 32), data, order, workers, pin=False) as loader:
            pixels += [batch.images.clone() for batch in loader]
    assert (pixels[0] == pixels[1]).all()
    assert read_split(data, "train").side_folder.stat().st_mode & 0o777 == 0o700
