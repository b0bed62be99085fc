"""Packed files: what goes in comes out, damage is found, and a kill costs nothing."""

from __future__ import annotations

import ctypes
import fcntl
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.config.data import DataConfig, SourceConfig
from cnnbench.config.data_commands import PackConfig
from cnnbench.data.commands.pack import pack
from cnnbench.data.decode.entry_index import PACKED_EVERY, SEAL, open_indices
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.reference import read_image, resize_short_side
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.folded import COLUMNS
from cnnbench.data.storage.packed import checksum
from cnnbench.runtime.errors import UserError


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth JPEG images of many sizes and kinds in two class folders: 24 to train, 6 for validation."""
    root, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 3)):
        for name in ("n01440764", "n01443537"):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                size = tuple(int(side) for side in draw.integers(24, 90, 2))
                image = Image.fromarray(draw.integers(0, 256, (5, 5, 3), np.uint8)).resize(size, Image.BICUBIC)
                mode, kind = [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG")][index % 4]
                image.convert(mode).save(root / split / name / f"{name}_{index}.JPEG", kind, quality=95)
    return root


def packed(photos: Path, output: Path, split: str = "train", **keys) -> Split:
    pack(PackConfig(data=SourceConfig(path=str(photos)), output=str(output), workers=0, **keys))
    return read_split(DataConfig(path=str(output)), split)


def originals(photos: Path, split: str = "train") -> Split:
    return read_split(DataConfig(path=str(photos)), split)


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = np.square(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean()
    return 10 * np.log10(255**2 / max(error, 1e-9))


def test_a_packed_file_has_its_name_once_all_of_it_is_on_the_disk(photos, tmp_path, disk_calls):
    """The records before the index that lists them, the index before the preamble that points to it; then the name,
    and the folder that holds the name."""
    packed(photos, tmp_path / "out", "val", splits=["val"], form="original")
    partial = ("sync", "val.cnnbench.partial")
    assert disk_calls == [partial, partial, partial, ("name", "val.cnnbench"), ("sync", "out")]


@pytest.mark.parametrize("shard_size", [None, 7, 24])
def test_original_files_come_back_byte_by_byte(photos, tmp_path, shard_size):
    before = originals(photos)
    after = packed(photos, tmp_path, form="original", shard_size=shard_size)
    assert (after.classes, after.labels.tolist()) == (before.classes, before.labels.tolist())
    assert [after.read(index) for index in range(len(after))] == [before.read(index) for index in range(len(before))]
    assert len(list(tmp_path.glob("train*"))) == {None: 1, 7: 4, 24: 1}[shard_size]
    assert after.name(3).endswith("(train/n01440764/n01440764_11.JPEG)")
    assert after.storage.form == "packed original files"


def test_pixels_are_those_of_the_resized_image(photos, tmp_path):
    before, after = originals(photos), packed(photos, tmp_path, form="raw", short_side=40)
    for index in range(len(before)):
        image = read_image(before.read(index), "")
        resized = resize_short_side(image, min(40, *image.size), "bilinear")
        pixels = after.read(index)
        assert (np.asarray(read_image(pixels, "")) == np.asarray(resized)).all()
    assert {after.read(index).shape[2] for index in range(len(after))} == {1, 3}, "a grey image has one channel"
    assert after.storage.form == "packed pixels, short side 40, bilinear"


def test_jpeg_is_near_the_resized_image_and_never_enlarged(photos, tmp_path):
    before, after = originals(photos), packed(photos, tmp_path, form="jpeg", short_side=48, quality=90)
    for index in range(len(before)):
        image, stored = read_image(before.read(index), ""), read_image(after.read(index), "")
        resized = resize_short_side(image, min(48, *image.size), "bicubic")
        assert stored.size == resized.size
        assert psnr(stored, resized) > 30
        with Image.open(io.BytesIO(after.read(index))) as file:
            assert file.format == "JPEG"
    assert after.storage.form == "packed JPEG, quality 90, 4:2:0, short side 48, bicubic"


def test_pixels_of_a_packed_set_can_be_packed_again_and_say_so(photos, tmp_path):
    packed(photos, tmp_path / "first", "val", form="raw", short_side=40, splits=["val"])
    again = packed(tmp_path / "first", tmp_path / "again", "val", form="raw", short_side=30, splits=["val"])
    assert again.storage.form == "packed pixels, short side 30, bilinear, from packed pixels, short side 40, bilinear"
    assert again.name(0).endswith("(val/n01440764/n01440764_0.JPEG)")


@pytest.mark.parametrize("shard_size", [None, 7])
def test_packed_jpeg_files_carry_their_entry_points(photos, tmp_path, capsys, monkeypatch, shard_size):
    """Those of each image that the native decoder takes; a damaged table costs time, and no pixels."""
    library = load()
    if library is None:
        pytest.skip("the library was not built: no C compiler here")
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    split = packed(photos, tmp_path / "jpeg", form="jpeg", short_side=40, shard_size=shard_size)
    assert "side index: entry points of 24 images" in capsys.readouterr().out
    assert len(split.side_indices) == len(list((tmp_path / "jpeg").glob("train*.cnnbench")))
    index = open_indices(split.side_indices, library)
    assert len(index) == 24
    contents = [split.read(number) for number in range(24)]
    for content in contents:
        look, made = library.look(content, index.for_library), library.entry_points(content, PACKED_EVERY)
        assert look is not None
        assert made is not None
        assert ctypes.string_at(look.entries.bytes, look.entries.length) == made.bytes
    with open(split.side_indices[0].path, "r+b") as file:
        file.seek(split.side_indices[0].seal + SEAL.size)
        file.write(b"\xff")
    again = read_split(DataConfig(path=str(tmp_path / "jpeg")), "train")
    assert len(open_indices(again.side_indices, library)) == 24 - min(24, shard_size or 24)
    assert [again.read(number) for number in range(24)] == contents


def test_a_pack_without_entry_points_is_one(photos, tmp_path, monkeypatch):
    """Pixels have none, and where there is no compiler there is nothing that finds them."""
    assert not packed(photos, tmp_path / "raw", form="raw").side_indices
    monkeypatch.setattr("cnnbench.data.decode.entry_finder.load", lambda: None)
    split = packed(photos, tmp_path / "jpeg", form="jpeg", short_side=40)
    assert not split.side_indices
    assert len(split) == 24


def test_a_file_may_be_given_itself_and_finds_the_other_split(photos, tmp_path):
    packed(photos, tmp_path, form="original")
    for name, split, count in (("train", "train", 24), ("train", "val", 6), ("val", "val", 6)):
        assert len(read_split(DataConfig(path=str(tmp_path / f"{name}.cnnbench")), split)) == count


def test_another_process_opens_the_files_anew(photos, tmp_path):
    storage = packed(photos, tmp_path, form="raw").storage
    storage.read(0)
    message = pickle.dumps(storage)
    assert len(message) < 500
    assert (pickle.loads(message).read(5) == storage.read(5)).all()


def test_checksum_sees_every_bit_and_blocks_that_changed_places():
    content = bytearray(np.random.default_rng(1).bytes(3 * COLUMNS * 8 + 100))
    expected = checksum(content)
    for position in [*range(0, len(content), 97), len(content) - 1]:
        content[position] ^= 1 << position % 8
        assert checksum(content) != expected, position
        content[position] ^= 1 << position % 8
    assert checksum(content) == expected
    blocks = np.random.default_rng(1).integers(0, 256, (6, 4096), np.uint8)
    assert checksum(blocks.ravel()) != checksum(blocks[[0, 4, 2, 3, 1, 5]].ravel())


@pytest.mark.parametrize("form", ["original", "raw"])
def test_a_flipped_bit_is_found_and_named(photos, tmp_path, form):
    split = packed(photos, tmp_path, form=form)
    file = split.storage.files[0]
    position = int(file.starts[4] + file.lengths[4] // 2)
    flip(tmp_path / "train.cnnbench", position)
    split = read_split(DataConfig(path=str(tmp_path)), "train")
    split.read(3)
    with pytest.raises(UserError, match=r"image 4 \(train/n01440764/n01440764_2.JPEG\) is damaged"):
        split.read(4)


def flip(path: Path, position: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize(
    ("damage", "hint"),
    [
        (lambda path: os.truncate(path, path.stat().st_size - 1), "cut short or damaged"),
        (lambda path: os.truncate(path, 100), "header does not match"),
        (lambda path: os.truncate(path, 10), "not a packed file"),
        (lambda path: path.write_bytes(b"something else" * 100), "not a packed file"),
        (lambda path: flip(path, 80), "header does not match"),
        (lambda path: flip(path, 8), "version 5"),
        (lambda path: flip(path, path.stat().st_size - 20), "index does not match"),
        (lambda path: flip(path, 25), "cut short or damaged"),
        (lambda path: path.rename(path.with_suffix(".cnnbench.partial")), "is not finished"),
    ],
)
def test_a_damaged_file_is_one_sentence(photos, tmp_path, damage, hint):
    packed(photos, tmp_path, form="original")
    damage(tmp_path / "train.cnnbench")
    with pytest.raises(UserError, match=hint):
        read_split(DataConfig(path=str(tmp_path)), "train")


def test_missing_and_mixed_shards_are_found(photos, tmp_path):
    packed(photos, tmp_path, form="original", shard_size=10)
    (tmp_path / "train-00001.cnnbench").rename(tmp_path / "aside")
    with pytest.raises(UserError, match="2 files of the train split, not 3: part 1 is missing"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    packed(photos, tmp_path / "other", form="raw", shard_size=10)
    (tmp_path / "other/train-00001.cnnbench").rename(tmp_path / "train-00001.cnnbench")
    with pytest.raises(UserError, match="different packs"):
        read_split(DataConfig(path=str(tmp_path)), "train")


def test_broken_images_fail_the_pack_or_are_left_out(photos, tmp_path, capsys):
    shutil.copytree(photos, tmp_path / "photos")
    cut = tmp_path / "photos/train/n01440764/n01440764_0.JPEG"
    cut.write_bytes(cut.read_bytes()[:300])
    (tmp_path / "photos/val/n01443537/n01443537_1.JPEG").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 broken images: .*n01440764_0.JPEG .*; .*n01443537_1.JPEG is not an image"):
        packed(tmp_path / "photos", tmp_path / "out", form="raw")
    assert not list((tmp_path / "out").glob("*.cnnbench")), "no final name for what is not whole"
    split = packed(tmp_path / "photos", tmp_path / "out", form="raw", skip_broken=True)
    assert "left out 1 broken" in capsys.readouterr().out
    assert (len(split), split.labels.tolist()) == (23, [0] * 11 + [1] * 12)
    assert split.storage.files[0].left_out[0][0] == "train/n01440764/n01440764_0.JPEG"


def test_a_repaired_image_is_tried_again(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    file = tmp_path / "photos/train/n01440764/n01440764_5.JPEG"
    whole = file.read_bytes()
    file.write_bytes(whole[:200])
    with pytest.raises(UserError, match="1 broken"):
        packed(tmp_path / "photos", tmp_path / "out", form="original")
    file.write_bytes(whole)
    after = packed(tmp_path / "photos", tmp_path / "out", form="original")
    assert [after.read(index) for index in range(24)] == [originals(photos).read(index) for index in range(24)]


SLOW = """
import sys, time
from cnnbench.config.data import SourceConfig
from cnnbench.config.data_commands import PackConfig
from cnnbench.data.commands import packing
from cnnbench.runtime import parallel
from cnnbench.data.commands import pack as command
encode = command.encode
def slow(original, name, *rest):
    time.sleep(1 if "n01443537_" in name else 0)
    return encode(original, name, *rest)
parallel.CHUNK, packing.BUFFER, command.PROBES, command.encode = 1, 1, 1, slow
command.pack(PackConfig(SourceConfig(sys.argv[1]), output=sys.argv[2], form="jpeg", short_side=40, workers=2))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_in_the_middle_goes_on_to_the_same_bytes(photos, tmp_path, how):
    packed(photos, tmp_path / "whole", form="jpeg", short_side=40)
    pieces, output = tmp_path / "pieces", tmp_path / "pieces/train.cnnbench.partial"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, photos, pieces],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    wait_until(lambda: output.exists() and output.stat().st_size > 10_000)  # the first class, which is fast
    workers = children(process.pid)
    process.send_signal(how)
    said = process.communicate()[0]
    wait_until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))
    if how == signal.SIGINT:
        assert "the same command goes on" in said
    assert not (pieces / "train.cnnbench").exists()
    with open(output, "ab") as file:  # and as if it had been killed within an image
        file.write(b"half a record")
    packed(photos, pieces, form="jpeg", short_side=40)
    for name in ("train.cnnbench", "val.cnnbench"):
        assert (pieces / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(path.name for path in pieces.iterdir()) == ["train.cnnbench", "val.cnnbench"]


def children(process: int) -> list[int]:
    """The worker processes of a process; none where the system does not list them."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def wait_until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_damage_in_what_was_written_before_a_kill_is_packed_again(photos, tmp_path):
    packed(photos, tmp_path / "whole", form="raw")
    whole = (tmp_path / "whole/train.cnnbench").read_bytes()
    (tmp_path / "pieces").mkdir()
    beginning = bytearray(whole[: len(whole) // 2])
    beginning[len(beginning) // 2] ^= 1  # what a power cut may leave
    (tmp_path / "pieces/train.cnnbench.partial").write_bytes(beginning)
    packed(photos, tmp_path / "pieces", form="raw")
    assert (tmp_path / "pieces/train.cnnbench").read_bytes() == whole


def test_a_pack_with_other_settings_is_not_continued(photos, tmp_path):
    packed(photos, tmp_path, "val", form="raw", splits=["val"])
    packed(photos, tmp_path, "val", form="raw", splits=["val"])  # it is there already
    with pytest.raises(UserError, match=r"val.cnnbench exists, with another form, recipe: remove it"):
        packed(photos, tmp_path, "val", form="jpeg", splits=["val"])
    (tmp_path / "val.cnnbench").rename(tmp_path / "val.cnnbench.partial")
    with pytest.raises(UserError, match="was begun with another form, recipe"):
        packed(photos, tmp_path, "val", form="jpeg", splits=["val"])
    assert len(packed(photos, tmp_path, "val", form="raw", splits=["val"])) == 6, "killed before the last name"


@pytest.mark.slow
def test_a_disk_that_is_or_gets_full_is_one_sentence(photos, tmp_path, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage)
    with pytest.raises(UserError, match=r"has 1.0 kB free, and about .* kB are needed"):
        packed(photos, tmp_path, form="raw")
    monkeypatch.undo()
    script = (
        "import resource, sys; from cnnbench.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000)); main(sys.argv[1:])"
    )
    words = ["data", "pack", f"data={photos}", f"output={tmp_path}/out", "form=raw", "workers=1"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "is full: make room and repeat" in done.stderr
    assert not list(tmp_path.glob("out/*.cnnbench"))
    assert len(packed(photos, tmp_path / "out", form="raw")) == 24


def test_the_folder_of_the_data_is_no_place_for_the_packed_files(photos):
    with pytest.raises(UserError, match="own folder"):
        packed(photos, photos / "train" / "..")


def test_two_processes_do_not_write_the_same_file(photos, tmp_path):
    with open(tmp_path / "train.cnnbench.partial", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is writing"):
            packed(photos, tmp_path, form="raw")
