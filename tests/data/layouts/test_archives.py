"""Raw tars and shards give the samples, labels and order of the class folders that they come from."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import WNIDS, add, assert_same, make_folders, make_raw_tars, make_shards, tar_of

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.devkit import GROUND_TRUTH, validation_wnids
from cnnbench.data.layouts.ilsvrc import official_order
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.shards import expand
from cnnbench.data.storage.files import pack_names
from cnnbench.data.storage.tars import tar_members
from cnnbench.runtime.errors import UserError


@pytest.fixture(scope="module")
def folders(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(sample, tmp_path_factory.mktemp("folders"))


@pytest.fixture
def raw(folders: Path, tmp_path: Path) -> Path:
    return make_raw_tars(folders, tmp_path / "raw")


def read(path: Path | str, split: str = "train"):
    return read_split(DataConfig(path=str(path)), split)


def test_raw_tars(raw, folders):
    assert_same(raw, folders)
    assert read(raw).name(0) == f"n01440764_0.png in {raw}/ILSVRC2012_img_train.tar"


def test_class_folders_come_before_archives_that_were_left_beside_them(raw, folders, tmp_path):
    shutil.copytree(folders, tmp_path / "both")
    for name in ("both/ILSVRC2012_img_val.tar", "both/train.tar", f"both/train/{WNIDS[0]}.tar"):
        shutil.copy(raw / "ILSVRC2012_img_val.tar", tmp_path / name)
    for split in ("train", "val"):
        assert read(tmp_path / "both", split).storage.form == "files"
        assert len(read(tmp_path / "both", split)) == len(read(folders, split))


def test_the_devkits_own_order_of_classes():
    classes = official_order()
    assert len(set(classes)) == 1000
    assert classes[:3] == ("n02119789", "n02100735", "n02110185")  # kit fox, English setter, Siberian husky
    # The first validation images are 490 361 171 in the ground truth, and in the sorted order 65 970 230: a sea snake,
    # an alp, a Shetland sheepdog.
    assert [sorted(classes).index(classes[number - 1]) for number in (490, 361, 171)] == [65, 970, 230]


def test_a_devkit_may_be_unpacked(raw, folders):
    with tarfile.open(raw / "ILSVRC2012_devkit_t12.tar.gz") as tar:
        tar.extractall(raw, filter="data")
    wanted = validation_wnids(raw / "ILSVRC2012_devkit_t12.tar.gz")
    assert validation_wnids(raw / "ILSVRC2012_devkit_t12") == wanted
    (raw / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    assert_same(raw, folders)


def test_raw_tars_that_lack_something(raw):
    devkit = raw / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(devkit, "w:gz") as tar:
        add(tar, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", b"1\n1\n")
    with pytest.raises(UserError, match=r"has 9 images, but the ground truth of .* has 2 lines"):
        read(raw, "val")
    devkit.write_bytes(devkit.read_bytes()[:60])
    with pytest.raises(UserError, match="cut short or damaged"):
        read(raw, "val")
    devkit.unlink()
    with pytest.raises(UserError, match=r"no ILSVRC2012_devkit_t12\.tar\.gz"):
        read(raw, "val")
    (raw / "ILSVRC2012_img_val.tar").unlink()
    with pytest.raises(UserError, match=r"no ILSVRC2012_img_val\.tar"):
        read(raw, "val")


@pytest.mark.parametrize("label", ["cls", "json", "txt", "folder"])
def test_shards(label, folders, tmp_path):
    shards = make_shards(folders, tmp_path / "shards", label)
    assert len(list(shards.glob("train-*.tar"))) == 4
    assert_same(shards, folders)


def test_shards_in_a_folder_per_split(folders, tmp_path):
    shards = make_shards(folders, tmp_path / "flat", "txt")
    for split in ("train", "val"):
        (tmp_path / "nested" / split).mkdir(parents=True)
        for number, file in enumerate(sorted(shards.glob(f"{split}-*"))):
            os.rename(file, tmp_path / "nested" / split / f"{number}.tar")
    assert_same(tmp_path / "nested", folders)


def test_names_with_braces(folders, tmp_path):
    shards = make_shards(folders, tmp_path / "shards", "cls")
    assert_same(shards / "{train-{000000..000003},val-{000000..000001}}.tar", folders)
    with pytest.raises(UserError, match=r"train-000004\.tar cannot be read: No such file"):
        read(shards / "train-{000003..000004}.tar")
    assert expand("a{08..11}.tar") == ["a08.tar", "a09.tar", "a10.tar", "a11.tar"]
    assert expand("{a,b{1..2}}-x") == ["a-x", "b1-x", "b2-x"]
    with pytest.raises(UserError, match="a brace that is not closed"):
        expand("train-{00..10.tar")


def test_numbers_without_names_are_ilsvrcs_classes_if_there_are_a_thousand(tmp_path):
    def shard(count: int) -> Path:
        root = tmp_path / str(count)
        root.mkdir()
        contents = {f"{n}.{ending}": str(n).encode() for n in range(count) for ending in ("jpg", "cls")}
        (root / "train-0.tar").write_bytes(tar_of(contents))
        return root

    assert read(shard(1000)).classes == tuple(sorted(official_order()))
    assert read(shard(11)).classes == ("0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9")
    (tmp_path / "11" / "classes.txt").write_text("ant bee")
    with pytest.raises(UserError, match=r"label 10, but classes\.txt names only 2"):
        read(tmp_path / "11")


def test_images_without_labels_and_further_fields(tmp_path):
    shard = tmp_path / "train-0.tar"
    shard.write_bytes(tar_of({"a.jpg": b"1", "a.cls": b"ant", "a.mask.png": b"2"}))
    assert len(read(tmp_path)) == 1
    (tmp_path / "train-1.tar").write_bytes(tar_of({"b.jpg": b"1"}))
    with pytest.raises(UserError, match=r"train-1\.tar: the image 'b\.jpg' has no label"):
        read(tmp_path)
    with pytest.raises(UserError, match="no shards named after the val split"):
        read(tmp_path, "val")


def test_what_macos_and_others_put_into_archives_is_no_image(raw, tmp_path):
    images = {f"ILSVRC2012_val_{number:08d}.png": b"x" for number in (1, 2)}
    (raw / "ILSVRC2012_img_val.tar").write_bytes(tar_of({"._a.png": b"", "notes.txt": b"", **images}))
    (raw / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    (raw / "ILSVRC2012_devkit_t12").mkdir()
    (raw / "ILSVRC2012_devkit_t12" / GROUND_TRUTH).write_text("1\n2\n")
    words = read(raw, "val").account.in_words(2)
    assert words == "2 images used, left out: endings not taken 1 (.txt), hidden and system files 1 (._a.png)"
    (tmp_path / "train-0.tar").write_bytes(tar_of({"._a.jpg": b"", "._a.cls": b"1", "a.jpg": b"1", "a.cls": b"ant"}))
    os.mkfifo(tmp_path / "train-1.tar")
    assert read(tmp_path).classes == ("ant",)


def test_long_names(tmp_path):
    for number, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        with tarfile.open(tmp_path / f"train-{number}.tar", "w", format=form) as tar:
            add(tar, f"{'x' * 300}/{number}.jpg", b"content")
    assert read(tmp_path).classes == ("x" * 300,)
    assert [read(tmp_path).read(index) for index in (0, 1)] == [b"content"] * 2


CONTENT = tar_of({f"ant/{number}.jpg": bytes(700) for number in range(4)})


def header(kind: bytes, size: int) -> bytes:
    """A header of an archive whose kind is that of a longer name (L), or of further fields (x)."""
    member = tarfile.TarInfo("ant/9.jpg")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "within a file": (lambda tar: tar[:4000], "cut short: it ends at byte 4,000"),
    "within a header": (lambda tar: tar[:1700], "byte 1,700"),
    "between members": (lambda tar: tar[:3072], "byte 3,072"),
    "within the end mark": (lambda tar: tar[: 4 * 1536 + 512], "byte 6,656"),
    "a header overwritten": (lambda tar: tar[:1536] + b"x" * 512 + tar[2048:], "damaged at byte 1,536"),
    "a hole": (lambda tar: tar[:1536] + bytes(2 << 20) + tar, "damaged at byte 1,536: it has an end mark there"),
    "a small hole": (
        lambda tar: tar[:1536] + bytes(1024) + tar[2560:],
        "damaged at byte 1,536: it has an end mark there",
    ),
    "a long header": (lambda tar: header(b"x", 1 << 31) + tar, r"damaged before byte 512: .* 2,147,483,648 bytes"),
    "headers of headers": (lambda tar: (header(b"L", 1) + bytes(512)) * 2000 + tar, "damaged before byte"),
    "empty": (lambda tar: b"", "is cut short: it ends at byte 0"),
    "something else": (lambda tar: b"GIF89a" * 1000, "not a tar archive"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_tar_is_named_with_the_position(damage, tmp_path):
    spoil, sentence = DAMAGE[damage]
    with open(tmp_path / "train-0.tar", "wb") as file:
        file.write(spoil(CONTENT))
        file.truncate(file.tell() if damage != "a long header" else 1 << 32)
    with pytest.raises(UserError, match=rf"train-0\.tar .*{sentence}"):
        read(tmp_path)


def test_a_raw_tar_cut_short_anywhere(raw):
    archive = raw / "ILSVRC2012_img_train.tar"
    whole = archive.read_bytes()
    for length in range(0, len(whole) - 10240, 3001):
        archive.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"img_train\.tar .*byte"):
            read(raw)


def test_an_archive_that_shrinks_after_the_index(tmp_path):
    shard = tmp_path / "train-0.tar"
    shard.write_bytes(CONTENT)
    split = read(tmp_path)
    os.truncate(shard, 5500)
    assert split.read(0) == bytes(700)
    with pytest.raises(UserError, match=r"train-0\.tar is cut short: it ends at byte 5,500"):
        split.read(3)


def test_an_archive_that_vanished_before_it_was_read(tmp_path):
    (tmp_path / "train-0.tar").write_bytes(CONTENT)
    ranges = read(tmp_path).storage
    os.rename(tmp_path / "train-0.tar", tmp_path / "gone")
    ranges = dataclasses.replace(ranges, paths=pack_names([f"{tmp_path}/./train-0.tar"]))  # not among the open files
    with pytest.raises(UserError, match=r"train-0\.tar cannot be read: No such file"):
        ranges.read(0)


def special(kind: bytes, name: str = "ant/evil.jpg", target: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "ant/0.jpg", b"0")
        header = tarfile.TarInfo(name)
        header.type, header.linkname = kind, target
        tar.addfile(header)
    return out.getvalue()


HOSTILE = {
    "absolute": (special(tarfile.REGTYPE, "/etc/evil.jpg"), "leads out of the archive"),
    "upwards": (special(tarfile.REGTYPE, "ant/../../evil.jpg"), "leads out of the archive"),
    "symlink": (special(tarfile.SYMTYPE, target="/etc/passwd"), "is a link"),
    "hard link": (special(tarfile.LNKTYPE, target="ant/0.jpg"), "is a link"),
    "device": (special(tarfile.CHRTYPE), "is a device"),
    "fifo": (special(tarfile.FIFOTYPE), "is a device"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tars_are_refused(kind, tmp_path):
    content, sentence = HOSTILE[kind]
    (tmp_path / "train-0.tar").write_bytes(content)
    with pytest.raises(UserError, match=rf"train-0\.tar is refused: its member '.*evil\.jpg' .*{sentence}"):
        read(tmp_path)


def test_members_are_found_in_place(tmp_path):
    inner = tar_of({"a": b"first", "b": b"second"})
    (tmp_path / "outer.tar").write_bytes(tar_of({"x": b"y" * 1000, "inner.tar": inner}))
    outer = list(tar_members(str(tmp_path / "outer.tar")))[1]
    found = list(tar_members(str(tmp_path / "outer.tar"), outer.offset, outer.length))
    content = (tmp_path / "outer.tar").read_bytes()
    assert [content[member.offset :][: member.length] for member in found] == [b"first", b"second"]
    assert WNIDS[1] == official_order()[0]


def test_a_list_of_classes_that_is_none_is_not_taken_into_memory(tmp_path):
    (tmp_path / "train-0.tar").write_bytes(CONTENT)
    with open(tmp_path / "classes.txt", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match=r"classes\.txt is of 1,099,511,627,776 bytes, and should be a list of classes"):
        read(tmp_path)
