"""ILSVRC in the forms in which it is distributed, built small from real images: the same images, the same classes."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts import ilsvrc
from cnnbench.data.layouts.read import find_layout, read_split
from cnnbench.runtime.errors import UserError

CLASSES = ("n01440764", "n02119789", "n02100735")  # tench, kit fox (ILSVRC2012_ID 1), English setter (2)
VAL = ("n02119789", "n01440764", "n02100735", "n02119789", "n01440764")  # classes of ILSVRC2012_val_00000001.JPEG on
KAGGLE_CSV = "ImageId,PredictionString\n" + "".join(
    f"ILSVRC2012_val_{number:08},{name} 1 2 30 40 {name} 5 6 70 80 \n"
    for number, name in reversed(list(enumerate(VAL, 1)))
)


@pytest.fixture(scope="module")
def photos(sample: Path) -> list[bytes]:
    """Eleven different JPEG files."""
    files = []
    for path in sorted((sample / "val/bag").iterdir())[:11]:
        file = io.BytesIO()
        Image.open(path).convert("RGB").save(file, "jpeg")
        files.append(file.getvalue())
    return files


@pytest.fixture
def expected(photos) -> dict[str, Counter]:
    """The files of each split with their classes, however they lie."""
    return {
        "train": Counter((photos[number], CLASSES[number // 2]) for number in range(6)),
        "val": Counter(zip(photos[6:], VAL, strict=True)),
    }


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def put_train(folder: Path, photos: list[bytes], below: str = "") -> None:
    for number, photo in enumerate(photos[:6]):
        name = CLASSES[number // 2]
        put(folder / name / below / f"{name}_{number}.JPEG", photo)


def put_flat_val(folder: Path, photos: list[bytes]) -> None:
    for number, photo in enumerate(photos[6:], 1):
        put(folder / f"ILSVRC2012_val_{number:08}.JPEG", photo)


def seen(root: Path, split: str) -> Counter:
    found = read_split(DataConfig(path=str(root)), split)
    assert found.classes == tuple(sorted(CLASSES))
    return Counter((found.read(index), found.classes[label]) for index, label in enumerate(found.labels))


def test_class_table_is_ilsvrcs():
    names = ilsvrc.class_names()
    assert len(names) == 1000
    assert list(names) == sorted(names)
    assert (names["n01440764"], names["n15075141"]) == ("tench", "toilet tissue")
    from torchvision.models import AlexNet_Weights

    assert list(names.values()) == AlexNet_Weights.DEFAULT.meta["categories"]
    # The first labels of the devkit's ground truth, and the ids of the same images.
    first = "n01751748 n09193705 n02105855 n04263257 n03125729 n01735189 n02346627 n02776631 n03794056 n02328150"
    official = ilsvrc.official_order()
    assert sorted(official) == list(names)
    assert [official.index(name) + 1 for name in first.split()] == [490, 361, 171, 822, 297, 482, 13, 704, 599, 164]


@pytest.mark.parametrize("below", ["", "images"])
def test_class_folders(tmp_path, cache, photos, expected, below):
    put_train(tmp_path / "train", photos, below)
    for photo, name in zip(photos[6:], VAL, strict=True):
        put(tmp_path / "val" / name / below / f"{photos.index(photo)}.JPEG", photo)
    put(tmp_path / "test/ILSVRC2012_test_00000001.JPEG", photos[0])  # has no labels, and is not asked for
    put(tmp_path / "val" / CLASSES[0] / below / "._1.JPEG", b"what macOS leaves behind")
    assert find_layout(tmp_path) == "class folders"
    assert {split: seen(tmp_path, split) for split in expected} == expected
    assert seen(tmp_path / "val", "val") == expected["val"], "class folders without val/ above them are a val split"
    with pytest.raises(UserError, match="has no train/ folder"):
        read_split(DataConfig(path=str(tmp_path / "val")), "train")


def test_own_classes_are_not_looked_for_deeper(tmp_path, cache, photos):
    for split in ("train", "val"):
        put(tmp_path / split / "animals" / "cat" / "1.JPEG", photos[0])
    with pytest.raises(UserError, match="no images in its class folders"):
        read_split(DataConfig(path=str(tmp_path)), "train")


@pytest.mark.parametrize("given", ["", "ILSVRC"])
def test_kaggle(tmp_path, cache, photos, expected, given):
    images = tmp_path / "ILSVRC/Data/CLS-LOC"
    put_train(images / "train", photos)
    put_flat_val(images / "val", photos)
    put(images / "test/ILSVRC2012_test_00000001.JPEG", photos[0])
    put(tmp_path / "ILSVRC/ImageSets/CLS-LOC/val.txt", b"ILSVRC2012_val_00000001 1\n")
    put(tmp_path / "LOC_train_solution.csv", b"ImageId,PredictionString\nn01440764_0,n01440764 1 2 3 4 \n")
    put(tmp_path / "LOC_synset_mapping.txt", b"n01440764 tench, Tinca tinca\n")
    root = tmp_path / given
    assert find_layout(root) == "Kaggle's ILSVRC"
    with pytest.raises(UserError, match="no list of their classes"):
        read_split(DataConfig(path=str(root)), "val")
    put(tmp_path / "LOC_val_solution.csv", KAGGLE_CSV.encode())
    assert {split: seen(root, split) for split in expected} == expected


def ground_truth() -> bytes:
    return "".join(f"{ilsvrc.official_order().index(name) + 1}\n" for name in VAL).encode()


def devkit() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        member = tarfile.TarInfo("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt")
        member.size = len(ground_truth())
        tar.addfile(member, io.BytesIO(ground_truth()))
    return content.getvalue()


LISTS = {
    "ILSVRC2012_validation_ground_truth.txt": ground_truth,
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": ground_truth,
    "ILSVRC2012_devkit_t12.tar.gz": devkit,
    "val/ILSVRC2012_validation_ground_truth.txt": ground_truth,
    "imagenet_2012_validation_synset_labels.txt": lambda: "\n".join(VAL).encode(),
    "LOC_val_solution.csv": KAGGLE_CSV.encode,
    "val.csv": lambda: (
        "file,class\r\n" + "".join(f"ILSVRC2012_val_{n:08}.JPEG, {name}\r\n" for n, name in enumerate(VAL, 1))
    ).encode(),
    "val.txt": lambda: "".join(
        f"ILSVRC2012_val_{n:08}.JPEG {list(ilsvrc.class_names()).index(name)}\n" for n, name in enumerate(VAL, 1)
    ).encode(),
}


@pytest.mark.parametrize("name", LISTS)
def test_flat_val_folder_with_each_kind_of_list(tmp_path, cache, photos, expected, name):
    put_train(tmp_path / "train", photos)
    put_flat_val(tmp_path / "val", photos)
    put(tmp_path / name, LISTS[name]())
    assert find_layout(tmp_path) == "class folders with a flat val folder"
    assert {split: seen(tmp_path, split) for split in expected} == expected
    assert [os.path.basename(read_split(DataConfig(path=str(tmp_path)), "val").name(i)) for i in range(5)] == [
        f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, 6)
    ]


def test_flat_val_folder_of_own_classes(tmp_path, cache, photos):
    put(tmp_path / "val/a.JPEG", photos[0])
    put(tmp_path / "val/b.JPEG", photos[1])
    put(tmp_path / "labels.csv", b"file,class\nb.JPEG,polar bear\na.JPEG,cat\n")
    split = read_split(DataConfig(path=str(tmp_path)), "val")
    assert [split.classes[label] for label in split.labels] == ["cat", "polar bear"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ILSVRC2012_validation_ground_truth.txt", b"1\n2\n3\n", "has 3 lines, but there are 5 images"),
        (
            "ILSVRC2012_validation_ground_truth.txt",
            b"1\n2\n1001\n4\n5\n",
            "class number 1001: it should be .* 1 to 1000",
        ),
        ("val.txt", b"ILSVRC2012_val_00000001.JPEG 1000\n" * 5, "no class for 4 of 5 images, .*00000002.JPEG"),
        ("ILSVRC2012_devkit_t12.tar.gz", devkit()[:60], "cannot be read"),
        ("ILSVRC2012_devkit_t12.tar.gz", b"", "cannot be read"),
        ("val.csv", b"\xff\xfe\x00", "cannot be read"),
        ("notes.md", b"no list", "no list of their classes: put"),
    ],
    ids=[
        "short",
        "number",
        "missing",
        "devkit-cut",
        "devkit-empty",
        "not-text",
        "none",
    ],  # the devkit's bytes hold a time
)
def test_lists_that_do_not_fit_are_one_clear_sentence(tmp_path, cache, photos, name, content, message):
    put_train(tmp_path / "train", photos)
    put_flat_val(tmp_path / "val", photos)
    put(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        read_split(DataConfig(path=str(tmp_path)), "val")
    assert "\n" not in str(caught.value)


def test_weights_of_the_thousand_are_tested_on_some_of_their_classes(tmp_path, command, photos):
    import torch

    from cnnbench.archs.registry import build

    model = build("lenet", 1000)
    last = next(layer for layer in reversed(list(model.modules())) if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        last.bias[list(ilsvrc.class_names()).index("n02119789")] = 1  # it sees kit foxes everywhere
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    for photo, name in zip(photos[6:], VAL, strict=True):
        put(tmp_path / "data/val" / name / f"{photos.index(photo)}.JPEG", photo)
    words = ("device=cpu", "data.workers=0", "output=result.json")
    done = command("eval", "arch=lenet", "weights=weights.pt", "data=data", *words)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["n"], result["wrong_top1"]) == (5, 3)


def test_a_name_with_a_comma_is_cut_only_where_it_lists_several():
    assert ilsvrc.class_in_words("n01440764") == "tench"
    for name in ("a,b", "a,c", "tench, Tinca tinca"):
        assert ilsvrc.class_in_words(name) == name
