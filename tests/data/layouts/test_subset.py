"""Which images of a listing are used: subsets of classes, shares of each class, the order of labels."""

from __future__ import annotations

import numpy as np
import pytest

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.runtime.errors import UserError


def names(split) -> list[str]:
    return [split.name(index) for index in range(len(split))]


def test_a_file_chooses_classes_and_the_order_of_labels(small_data, tmp_path):
    (tmp_path / "classes").write_text("trouser\n\nbag\n")
    whole = read_split(DataConfig(path=str(small_data)), "train")
    data = DataConfig(path=str(small_data), classes=str(tmp_path / "classes"))
    train = read_split(data, "train")
    assert train.classes == ("trouser", "bag")
    assert train.labels.tolist() == [1] * 20 + [0] * 21
    assert names(train) == [name for name in names(whole) if "/sandal/" not in name]
    assert all(train.read(index) == whole.read(names(whole).index(train.name(index))) for index in (0, 19, 20, 40))
    val = read_split(data, "val", train.classes)
    assert (val.classes, val.labels.tolist()) == (("trouser", "bag"), [1] * 8 + [0] * 7)
    # A checkpoint's classes win over the file: here three, one of which the split lacks.
    val = read_split(data, "val", ("sandal", "shirt", "bag"))
    assert val.labels.tolist() == [2] * 8 + [0] * 8


def test_lines_may_say_more_after_a_wordnet_id(tmp_path, small_data, cache):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for name, source in (("n01440764", "bag"), ("n01443537", "sandal")):
            (tmp_path / split / name).symlink_to(small_data / split / source)
    (tmp_path / "synsets.txt").write_text("n01443537 goldfish, Carassius auratus\n")
    split = read_split(DataConfig(path=str(tmp_path), classes=str(tmp_path / "synsets.txt")), "train")
    assert (split.classes, len(split)) == (("n01443537",), 20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"bag\ntrousers\n", "names 'trousers', which is not a class of .*train, did you mean trouser?"),
        (b"bag\nbag\n", "name each class once"),
        (b"\n", "name each class once"),
        (b"\xff\xfe", "name each class once"),  # UTF-16, and empty
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_files_of_classes_that_do_not_fit(small_data, tmp_path, content, message):
    (tmp_path / "classes").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_split(DataConfig(path=str(small_data), classes=str(tmp_path / "classes")), "train")
    with pytest.raises(UserError, match="missing cannot be read"):
        read_split(DataConfig(path=str(small_data), classes=str(tmp_path / "missing")), "train")


def test_a_fraction_is_of_each_class_and_of_training_images_alone(small_data):
    def chosen(fraction: float, split: str = "train"):
        return read_split(DataConfig(path=str(small_data), train_fraction=fraction), split)

    whole, some = chosen(1.0), chosen(0.3)
    assert np.bincount(some.labels).tolist() == [6, 6, 6]
    assert set(names(some)) < set(names(whole))
    assert names(some) == sorted(set(names(some)))
    assert names(chosen(0.3)) == names(some)
    assert all(some.read(index) == whole.read(names(whole).index(some.name(index))) for index in range(18))
    assert np.bincount(chosen(0.5).labels).tolist() == [10, 10, 10]
    assert np.bincount(chosen(1e-6).labels).tolist() == [1, 1, 1]
    assert names(chosen(0.3, "val")) == names(chosen(1.0, "val"))


def test_val_with_classes_that_train_has_not(small_data, tmp_path):
    (tmp_path / "train").symlink_to(small_data / "train")
    (tmp_path / "val").mkdir()
    (tmp_path / "val/trousers").symlink_to(small_data / "val/trouser")
    data = DataConfig(path=str(tmp_path))
    with pytest.raises(UserError, match=r"val has the class 'trousers', which is not .* 3 classes known, .* trouser\?"):
        read_split(data, "val", read_split(data, "train").classes)


def test_labels_counted_in_more_classes(small_data):
    split = read_split(DataConfig(path=str(small_data)), "val")
    more = split.counted_in(("zebra", "trouser", "bag", "ant", "sandal"))
    assert [more.classes[label] for label in more.labels] == [split.classes[label] for label in split.labels]
    assert names(more) == names(split)
