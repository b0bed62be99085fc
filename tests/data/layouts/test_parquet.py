"""Parquet files as Hugging Face keeps imagenet-1k and other image data sets, built small."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts import index
from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.read import data_folder, find_layout, read_split
from cnnbench.data.layouts.relabel import exclude, image_name
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.parallel import map_images

WNIDS = tuple(class_names())
IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def put(
    path: Path, labels: list, names: list[str | None] | None = None, stated: list[str] | None = None, **keys
) -> None:
    """Row i has the bytes 'FILE i', in row groups of two; `stated`: class names, as `datasets` writes them."""
    names = names or [None] * len(labels)
    images = [{"bytes": f"{path.name} {row}".encode(), "path": name} for row, name in enumerate(names)]
    columns = {keys.get("image", "image"): pyarrow.array(images, IMAGE), keys.get("label", "label"): labels}
    table = pyarrow.table(columns)
    if stated is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": stated, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=2)


def read(root: Path, split: str = "train") -> Split:
    return read_split(DataConfig(path=str(root)), split)


def classes(split: Split) -> list[str]:
    return [split.classes[label] for label in split.labels]


@pytest.fixture
def imagenet(tmp_path: Path, cache: Path) -> Path:
    """Two files of train, one of validation and one of test, with the names that imagenet-1k's images have."""
    stated = [f"{name}, a synonym" for name in class_names().values()]
    for file, labels in (("train-00000-of-00294-ab", [999, 0, 5]), ("train-00001-of-00294-cd", [7, 7, 0, 1, 2])):
        names = [f"{WNIDS[label]}_{row}_{WNIDS[label]}.JPEG" for row, label in enumerate(labels)]
        put(tmp_path / f"hf/data/{file}.parquet", labels, names, stated)
    names = [f"ILSVRC2012_val_{row:08}_{WNIDS[label]}.JPEG" for row, label in enumerate([5, 7], 1)]
    put(tmp_path / "hf/data/validation-00000-of-00014-ef.parquet", [5, 7], names, stated)
    put(tmp_path / "hf/data/test-00000-of-00028-gh.parquet", [-1, -1], None, stated)
    return tmp_path / "hf"


@pytest.mark.parametrize("place", ["", "data"])
def test_imagenet_1k_is_read_in_place(imagenet, place):
    root = imagenet / place
    assert find_layout(data_folder(str(root))) == "Parquet files"
    train, val = read(root), read(root, "val")
    assert classes(train) == [WNIDS[label] for label in (999, 0, 5, 7, 7, 0, 1, 2)]
    contents = [b"train-00000-of-00294-ab.parquet 2", b"train-00001-of-00294-cd.parquet 4"]
    assert [train.read(index) for index in (2, 7)] == contents
    assert classes(val) == [WNIDS[5], WNIDS[7]]
    assert image_name(val, 0) == f"validation-00000-of-00014-ef.parquet/ILSVRC2012_val_00000001_{WNIDS[5]}.JPEG"
    (imagenet / "list").write_text("2\n")
    assert exclude(val, str(imagenet / "list")).numbers.tolist() == [0]


def test_the_index_keeps_it_and_workers_read_it(imagenet, monkeypatch):
    monkeypatch.setattr(index, "QUIET", -60)
    expected = [read(imagenet).read(number) for number in range(8)]
    assert index.find(imagenet, "train", "Parquet files") is not None
    split = read(imagenet)
    order = [3, 0, 7, 2, 5, 1, 6, 4] * 8
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(split.read, order)) == [expected[number] for number in order]
    assert list(map_images(split.read, range(8), 2, "reading")) == expected, (
        "in forked processes, after reads in this one"
    )


def test_names_that_the_files_state(tmp_path, cache):
    put(tmp_path / "train.parquet", [2, 0], stated=["owl", "cat", "cafe\u0301"])
    split = read(tmp_path)
    assert (split.classes, classes(split), split.account.notes) == (("caf\u00e9", "owl"), ["caf\u00e9", "owl"], ())
    put(tmp_path / "train.parquet", [0, 1], stated=["crane", "crane"])
    assert read(tmp_path).classes == ("crane (0)", "crane (1)")
    put(tmp_path / "train.parquet", [0, 3], stated=["owl", "cat"])
    with pytest.raises(UserError, match="has the label 3, but states only 2 classes, from 0"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "labels", "names", "expected", "note"),
    [
        ("train", [0, 9], None, ["0", "9"], "the numbers are the classes"),
        ("train", [0, 9], [f"{WNIDS[0]}_1.JPEG", f"{WNIDS[9]}_1.JPEG"], [WNIDS[0], WNIDS[9]], "as the names of the"),
        ("train", [0, 9], [f"{WNIDS[1]}_1.JPEG", "x.JPEG"], ["0", "9"], "the numbers are the classes"),
        ("train-00003-of-00294", [0, 9], None, [WNIDS[0], WNIDS[9]], "by the number of the files"),
        ("train", [*range(1000)], None, [*WNIDS], "all of them occur"),
        ("train", ["owl", "cat"], None, ["owl", "cat"], ""),
        ("train", [1.0, None, 0.0, -1.0], None, ["1", "0"], "the numbers are the classes"),
    ],
)
def test_labels_without_names(tmp_path, cache, file, labels, names, expected, note):
    put(tmp_path / f"train/{file}.parquet", labels, names)
    split = read(tmp_path)
    assert classes(split) == expected
    assert note in "; ".join(split.account.notes)
    assert ("images without a label 2" in split.account.in_words(2)) == (None in labels)


def test_other_usual_columns(tmp_path, cache):
    put(tmp_path / "train.parquet", [1, 0], image="img", label="fine_label")
    assert [read(tmp_path).read(0), classes(read(tmp_path))] == [b"train.parquet 0", ["1", "0"]]
    parquet.write_table(pyarrow.table({"jpg": [b"x", b"y"], "cls": [3, 4]}), tmp_path / "train.parquet")
    assert [read(tmp_path).read(1), classes(read(tmp_path))] == [b"y", ["3", "4"]]
    columns = {"img": [b"x"], "coarse_label": [1], "fine_label": [5]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "train.parquet")
    assert "classes by the column fine_label, not by coarse_label" in read(tmp_path).account.notes


def test_what_does_not_fit_is_one_clear_sentence(tmp_path, cache, imagenet):
    file = tmp_path / "train.parquet"
    for columns, message in (
        ({"text": ["a"], "label": [1]}, "no column of images, as image: it has text, label"),
        ({"image": [b"a"], "caption": ["a"]}, "no column of labels, as label: it has image, caption"),
        ({"image": [b"a"], "label": [[1, 2]]}, "its labels are not numbers or names of classes, but lists"),
        ({"image": [], "label": []}, "train.parquet has no rows: fetch it anew"),
        ({"image": pyarrow.array([], IMAGE), "label": []}, "train.parquet and others of its split have no rows"),
        ({"image": [b"a"], "label": [-1]}, "has no labels .* it is a test split"),
    ):
        parquet.write_table(pyarrow.table(columns), file)
        with pytest.raises(UserError, match=message):
            read(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read(tmp_path)
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(UserError, match="pointer of Git LFS"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"no Parquet files of the val split, as validation-00000-of-00001.parquet"):
        read(tmp_path, "val")
    images = pyarrow.array([{"bytes": None, "path": "a.jpg"}], IMAGE)
    parquet.write_table(pyarrow.table({"image": images, "label": [1]}), file)
    with pytest.raises(UserError, match=r"has no bytes in the column image.bytes"):
        read(tmp_path).read(0)


def test_a_file_that_is_gone_is_one_sentence(imagenet):
    split = read(imagenet)
    os.remove(imagenet / "data/train-00001-of-00294-cd.parquet")
    with pytest.raises(UserError, match=r"cd.parquet cannot be read as Parquet: .*No such file"):
        split.read(7)


def test_without_pyarrow_the_extra_is_named(imagenet):
    with mock.patch.dict("sys.modules", {"pyarrow": None}), pytest.raises(UserError, match=r"cnnbench\[parquet\]"):
        read(imagenet)


def test_training_and_evaluation_from_parquet(command, small_data, tmp_path):
    for split, file in (("train", "train"), ("val", "validation")):
        files = sorted((small_data / split).rglob("*.png"))[::2]
        labels = [("bag", "sandal", "trouser").index(path.parent.name) for path in files]
        images = pyarrow.array([{"bytes": path.read_bytes(), "path": path.name} for path in files], IMAGE)
        table = pyarrow.table({"image": images, "label": labels})
        parquet.write_table(table, tmp_path / f"{file}.parquet", row_group_size=9)
    words = ("epochs=1", "batch=10", "device=cpu", "data.workers=2", "data=.", "logger=[]")
    done = command("train", "arch=lenet", "recipe=quick", "run=r", *words)
    assert done.returncode == 0, done.stderr
    assert "exact pixels from Parquet files" in done.stdout
    assert "labels without names: the numbers are the classes" in done.stdout
    assert np.isfinite(json.loads((tmp_path / "runs/r/result.json").read_text())["top1_error"])
