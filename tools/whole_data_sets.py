"""Small data sets and a run of every kind that cnnbench reads, as whole files in a folder."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from limited_command import run_here
from PIL import Image

from cnnbench.runs import lock
from cnnbench.runs.owner import identity

CLASSES = ("n01440764", "n01443537")
RUN = ("arch=lenet", "recipe=quick", "epochs=1", "batch=4", "data.workers=0", "logger=[]", "device=cpu")


def picture(seed: int, side: int = 40) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(noise).resize((side, side - 8), Image.Resampling.BICUBIC)


def encoded(seed: int, form: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    picture(seed).save(content, form, **options)
    return content.getvalue()


def class_folders(folder: Path, ending: str = "png", form: str = "PNG", **options: object) -> None:
    """d/{train,val}/CLASS/N.png, and classes.txt"""
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    for split, count in (("train", 4), ("val", 2)):
        for number, name in enumerate(CLASSES):
            (folder / "d" / split / name).mkdir(parents=True)
            for image in range(count):
                file = folder / "d" / split / name / f"{image}.{ending}"
                file.write_bytes(encoded(number * 100 + image + 10 * count, form, **options))


def tar_of(contents: dict[str, bytes], path: Path, mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))


def shards(folder: Path) -> None:
    (folder / "d").mkdir()
    for split in ("train", "val"):
        contents: dict[str, bytes] = {}
        for number in range(4):
            contents |= {f"{number}.png": encoded(number), f"{number}.json": json.dumps({"label": number % 2}).encode()}
        tar_of(contents, folder / f"d/{split}-000000.tar")
    (folder / "d/classes.txt").write_text("\n".join(CLASSES))


def raw_tars(folder: Path) -> None:
    (folder / "d").mkdir()
    for name in CLASSES:
        tar_of({f"{name}_{number}.JPEG": encoded(number) for number in range(3)}, folder / f"{name}.tar")
    tar_of(
        {f"{name}.tar": (folder / f"{name}.tar").read_bytes() for name in CLASSES},
        folder / "d/ILSVRC2012_img_train.tar",
    )
    images = {f"ILSVRC2012_val_{number + 1:08}.JPEG": encoded(number) for number in range(3)}
    tar_of(images, folder / "d/ILSVRC2012_img_val.tar")
    truth = {"ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"449\n450\n449\n"}
    tar_of(truth, folder / "d/ILSVRC2012_devkit_t12.tar.gz", "w:gz")


def parquet(folder: Path) -> None:
    import pyarrow
    from pyarrow import parquet as files

    (folder / "d/data").mkdir(parents=True)
    features = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    for split in ("train", "validation"):
        images = [{"bytes": encoded(number), "path": f"{number}.png"} for number in range(4)]
        table = pyarrow.table({"image": images, "label": [0, 1, 0, 1]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        files.write_table(table, folder / f"d/data/{split}-00000-of-00001.parquet", row_group_size=2)


def idx(folder: Path, pack: Callable[[bytes], bytes] = bytes, ending: str = "") -> None:
    (folder / "d").mkdir()
    for stem, count in (("train", 8), ("t10k", 4)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        images = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
        labels = b"\0\0\x08\x01" + np.array([count], ">u4").tobytes() + bytes(number % 2 for number in range(count))
        (folder / f"d/{stem}-images-idx3-ubyte{ending}").write_bytes(pack(images))
        (folder / f"d/{stem}-labels-idx1-ubyte{ending}").write_bytes(pack(labels))


def cifar_binary(folder: Path) -> None:
    (folder / "d").mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / f"d/{name}.bin").write_bytes(b"".join(bytes([n % 2]) + bytes(range(256)) * 12 for n in range(4)))
    (folder / "d/batches.meta.txt").write_text("cat\ndog\n")


def cifar_python(folder: Path) -> None:
    contents = {"batches.meta": pickle.dumps({b"label_names": [b"cat", b"dog"]}, 2)}
    data = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        contents[name] = pickle.dumps({b"data": data, b"labels": [0, 1, 0, 1]}, 2)
    (folder / "d").mkdir()
    for name, content in contents.items():
        (folder / "d" / name).write_bytes(content)


def cifar_tar(folder: Path) -> None:
    cifar_python(folder)
    contents = {f"cifar-10-batches-py/{file.name}": file.read_bytes() for file in (folder / "d").iterdir()}
    shutil.rmtree(folder / "d")
    (folder / "d").mkdir()
    tar_of(contents, folder / "d/cifar-10-python.tar.gz", "w:gz")


def flat_val(folder: Path, name: str, text: str) -> None:
    """Class folders of train, and val as a flat folder with a list."""
    class_folders(folder)
    images = sorted((folder / "d/val").rglob("*.png"))
    for number, image in enumerate(images):
        image.rename(folder / f"d/val/ILSVRC2012_val_{number + 1:08}.png")
    for other in CLASSES:
        (folder / "d/val" / other).rmdir()
    (folder / "d/val" / name).write_text(text)


NAMES = [f"ILSVRC2012_val_{number + 1:08}.png" for number in range(4)]
LISTED = [(name, CLASSES[number // 2]) for number, name in enumerate(NAMES)]


def packed(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "data", "pack", "data=d", "output=p", "workers=0")
    shutil.rmtree(folder / "d")
    (folder / "p").rename(folder / "d")


def indexed(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "data", "index", "data=d", "beside=true")


def a_run(folder: Path) -> None:
    class_folders(folder)
    run_here(folder, "train", "data=d", "run=./one", *RUN)
    run_here(folder, "eval", "run=./one", "data.workers=0", "batch=4", "device=cpu")
    gone = identity() | {"pid": 1, "started": 0}
    (folder / "one" / lock.FILE).write_text(json.dumps(gone))
