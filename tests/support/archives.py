"""A small data set of three ILSVRC classes from real images, and the archives that the same images may come in."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.devkit import GROUND_TRUTH
from cnnbench.data.layouts.ilsvrc import official_order
from cnnbench.data.layouts.read import read_split

WNIDS = ("n01440764", "n02119789", "n03255030")  # their ILSVRC2012_IDs are 449, 1 and 1000


def make_folders(sample: Path, root: Path) -> Path:
    """train/WNID/ with 5, 6 and 7 images, val/WNID/ with 2, 3 and 4, named as ILSVRC's are."""
    for name, wnid, count in zip(("bag", "sandal", "trouser"), WNIDS, (5, 6, 7), strict=True):
        for split in ("train", "val"):
            (root / split / wnid).mkdir(parents=True)
        images = sorted((sample / "train" / name).iterdir())
        for number, image in enumerate(images[:count]):
            shutil.copy(image, root / "train" / wnid / f"{wnid}_{number * 7}.png")
        for number, image in enumerate(images[20 : 20 + count - 3]):
            # 1, 4, 7, ... are of the first class, and so on: classes alternate, as in ILSVRC's validation images
            place = 1 + 3 * number + WNIDS.index(wnid) if number < 2 else 4 + number * count
            shutil.copy(image, root / "val" / wnid / f"ILSVRC2012_val_{place:08d}.png")
    return root


def make_raw_tars(folders: Path, root: Path) -> Path:
    """The three official archives, with the images of `folders`."""
    root.mkdir()
    with tarfile.open(root / "ILSVRC2012_img_train.tar", "w") as outer:
        for wnid in reversed(WNIDS):
            add(
                outer,
                f"{wnid}.tar",
                tar_of({file.name: file.read_bytes() for file in _files(folders / "train" / wnid)}),
            )
    images = {file.name: file for file in _files(folders / "val")}
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as tar:
        for name, file in sorted(images.items(), reverse=True):
            add(tar, name, file.read_bytes())
    numbers = [official_order().index(images[name].parent.name) + 1 for name in sorted(images)]
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
        add(tar, f"ILSVRC2012_devkit_t12/data/{GROUND_TRUTH}", "".join(f"{number}\n" for number in numbers).encode())
    return root


def make_shards(folders: Path, root: Path, label: str, per_shard: int = 5) -> Path:
    """train-000000.tar ... and val-000000.tar ... with labels in the form `label`: cls, json, txt or folder."""
    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        files = sorted(_files(folders / split), key=lambda file: file.name[::-1])  # classes mixed
        for number, start in enumerate(range(0, len(files), per_shard)):
            with tarfile.open(root / f"{split}-{number:06d}.tar", "w") as tar:
                for file in files[start : start + per_shard]:
                    _add_sample(tar, file, label)
    if label in ("cls", "json"):
        (root / "classes.txt").write_text("\n".join(WNIDS) + "\n")
    return root


def _add_sample(tar: tarfile.TarFile, file: Path, label: str) -> None:
    wnid = file.parent.name
    number = WNIDS.index(wnid)
    written = {"cls": str(number), "json": json.dumps({"width": 28, "label": number}), "txt": f"{wnid}\n"}
    add(tar, f"{wnid}/{file.name}" if label == "folder" else file.name, file.read_bytes())
    if label in written:
        add(tar, f"{file.stem}.{label}", written[label].encode())


def tar_of(contents: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in contents.items():
            add(tar, name, content)
    return out.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))


def assert_same(path: Path | str, folders: Path) -> None:
    """Both splits of `path` have the samples and labels of the class folders, in the same order."""
    for split in ("train", "val"):
        found, wanted = read_split(DataConfig(path=str(path)), split), read_split(DataConfig(path=str(folders)), split)
        assert found.classes == wanted.classes == WNIDS
        np.testing.assert_array_equal(found.labels, wanted.labels)
        everything = range(len(wanted))
        assert [found.read(index) for index in everything] == [wanted.read(index) for index in everything]
        assert found.storage.read_many(everything) == [wanted.read(index) for index in everything]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())
