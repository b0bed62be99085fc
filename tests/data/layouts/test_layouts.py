"""Class folders become flat arrays of files and labels."""

from __future__ import annotations

import os

import pytest

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.runtime.errors import UserError


def test_files_and_labels_in_sorted_order(small_data):
    split = read_split(DataConfig(path=str(small_data)), "train")
    assert split.classes == ("bag", "sandal", "trouser")
    assert split.labels.tolist() == [0] * 20 + [1] * 20 + [2] * 21
    files = sorted(str(path) for path in (small_data / "train").rglob("*.png"))
    assert [split.name(index) for index in range(len(split))] == files


def test_other_usual_names_other_files_and_odd_characters(tmp_path, small_data):
    image = next((small_data / "val/bag").iterdir()).read_bytes()
    odd = os.fsdecode(b"b\xe9 d.JPEG")  # a byte that is not UTF-8, and a space
    for split in ("training", "validation"):
        (tmp_path / split / "n01440764").mkdir(parents=True)
        (tmp_path / split / "n01443537").mkdir()
        (tmp_path / split / "n01440764" / odd).write_bytes(image)
        (tmp_path / split / "n01443537" / "a.png").write_bytes(image)
        (tmp_path / split / "n01443537" / "notes.txt").write_text("no image")
        (tmp_path / split / ".hidden").mkdir()
    for name in ("train", "val"):
        split = read_split(DataConfig(path=str(tmp_path)), name)
        assert split.classes == ("n01440764", "n01443537")
        assert [os.path.basename(split.name(index)) for index in range(2)] == [odd, "a.png"]
        assert all(os.path.exists(split.name(index)) for index in range(2))


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (
            ("Train", "Val"),
            r"has no train/ folder \(rename Train/, or link to it: ln -s Train .*/train\): it has Train",
        ),
        (("training_set", "test_set"), r"\(rename training_set/, or link to it"),
        (("cat", "dog"), r"has no train/ folder: it has cat, dog; class folders have to lie in train/ and val/"),
        ((), r"cannot read .*: there is no such folder \(any more\); data=PATH says where it is now"),
    ],
)
def test_folders_of_other_names_say_the_fix(tmp_path, folders, sentence):
    for name in folders:
        (tmp_path / "set" / name / "c").mkdir(parents=True)
    with pytest.raises(UserError, match=sentence):
        read_split(DataConfig(path=str(tmp_path / "set")), "train")


def test_a_test_folder_that_is_the_validation_split_is_said(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "c").mkdir(parents=True)
        (tmp_path / split / "c/1.jpg").write_bytes(b"x")
    said = [read_split(DataConfig(path=str(tmp_path)), split).account.notes for split in ("train", "val")]
    assert said == [(), ("test/ is the validation split",)]


def test_labels_follow_the_known_classes_not_the_listing(small_data):
    split = read_split(DataConfig(path=str(small_data)), "val", ("trouser", "shirt", "sandal", "bag"))
    assert split.labels.tolist() == [3] * 8 + [2] * 8 + [0] * 7
    with pytest.raises(UserError, match="class 'bag', which is not one of the 2"):
        read_split(DataConfig(path=str(small_data)), "val", ("sandal", "trouser"))
