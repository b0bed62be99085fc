"""CIFAR and MNIST from files in their original formats, made from real images; and synthetic images."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbench.config.data import DataConfig
from cnnbench.data.layouts import cifar
from cnnbench.data.layouts.read import find_layout, read_split
from cnnbench.runtime.errors import UserError

NAMES = ("zebra", "apple", "cat")  # not sorted: labels in the files count these, a split's labels the sorted ones
LABELS = [2, 0, 1, 1, 0, 2, 2, 0, 1, 1, 0, 0]


@pytest.fixture(scope="module")
def pictures(sample: Path) -> np.ndarray:
    """Real images in colour, uint8 (12, 32, 32, 3)."""
    grey = [Image.open(path).resize((32, 32)) for path in sorted((sample / "val/bag").iterdir())[:14]]
    return np.stack([np.asarray(Image.merge("RGB", grey[number : number + 3])) for number in range(12)])


def python2_pickle(value: object) -> bytes:
    """`value` as Python 2 pickled it, which is how the batches of CIFAR are: byte strings, numpy's old module names."""

    def written(value: object) -> bytes:
        if isinstance(value, bytes):
            return b"T" + struct.pack("<i", len(value)) + value
        if isinstance(value, int):
            return b"J" + struct.pack("<i", value)
        if value is None:
            return b"N"
        if isinstance(value, tuple):
            return b"(" + b"".join(map(written, value)) + b"t"
        if isinstance(value, list):
            return b"](" + b"".join(map(written, value)) + b"e"
        if isinstance(value, dict):
            return b"}(" + b"".join(written(key) + written(item) for key, item in value.items()) + b"u"
        dtype = (
            b"cnumpy\ndtype\n" + written((b"u1", 0, 1)) + b"R" + written((3, b"|", None, None, None, -1, -1, 0)) + b"b"
        )
        empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + written((0,)) + written(b"b") + b"tR"
        return empty + b"(" + written(1) + written(value.shape) + dtype + b"I00\n" + written(value.tobytes()) + b"tb"

    return b"\x80\x02" + written(value) + b"."


def cifar_files(pictures: np.ndarray, hundred: bool, binary: bool) -> dict[str, bytes]:
    """The files of a download, two images in each batch, or six in each file of CIFAR-100."""
    rows, size = pictures.transpose(0, 3, 1, 2).reshape(12, 3072), 6 if hundred else 2
    names = ["train", "test"] if hundred else [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    files = {}
    for number, name in enumerate(names):
        part, labels = rows[number * size :][:size], LABELS[number * size :][:size]
        if binary:
            marks = [bytes([7, label]) if hundred else bytes([label]) for label in labels]
            files[f"{name}.bin"] = b"".join(mark + row.tobytes() for mark, row in zip(marks, part, strict=True))
        else:
            key = b"fine_labels" if hundred else b"labels"
            files[name] = python2_pickle({b"data": part, key: labels, b"coarse_labels": [7] * size})
    if binary:
        files["fine_label_names.txt" if hundred else "batches.meta.txt"] = "\n".join([*NAMES, ""]).encode()
    else:
        key = b"fine_label_names" if hundred else b"label_names"
        files["meta" if hundred else "batches.meta"] = python2_pickle({key: [name.encode() for name in NAMES]})
    return files


@pytest.mark.parametrize("packed", ["folder", "below", "archive", "archive itself"])
@pytest.mark.parametrize("form", cifar.FORMS, ids=lambda form: form.archive)
def test_cifar(tmp_path, cache, pictures, form, packed):
    files = cifar_files(pictures, "100" in form.archive, "binary" in form.archive)
    root = tmp_path
    if packed.startswith("archive"):
        with tarfile.open(tmp_path / form.archive, "w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{form.folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        root = tmp_path / form.archive if packed == "archive itself" else tmp_path
    else:
        folder = tmp_path / form.folder if packed == "below" else tmp_path
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    assert find_layout(root) == "CIFAR"
    splits = [read_split(DataConfig(path=str(root)), split) for split in ("train", "val")]
    assert [len(split) for split in splits] == ([6, 6] if "100" in form.archive else [10, 2])
    assert {split.classes for split in splits} == {("apple", "cat", "zebra")}
    assert [split.classes[label] for split in splits for label in split.labels] == [NAMES[label] for label in LABELS]
    assert np.array_equal([split.read(index) for split in splits for index in range(len(split))], pictures)


def test_a_pickle_that_would_run_something_does_not(tmp_path, cache, pictures):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was here",))

    for name, content in cifar_files(pictures, hundred=True, binary=False).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "train").write_bytes(pickle.dumps({"data": Hostile()}, protocol=2))
    with pytest.raises(UserError, match="cannot be read as CIFAR: it asks for"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    assert not (tmp_path / "was here").exists()
    (tmp_path / "train").write_bytes(b"\x80\x02}")
    with pytest.raises(UserError, match="cannot be read as CIFAR"):
        read_split(DataConfig(path=str(tmp_path)), "train")


def test_cut_or_missing_files_of_cifar(tmp_path, cache, pictures):
    files = cifar_files(pictures, hundred=False, binary=True)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "data_batch_3.bin").write_bytes(files["data_batch_3.bin"][:-1])
    with pytest.raises(UserError, match="cannot be read as CIFAR"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match=r"has no data_batch_3\.bin"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    assert len(read_split(DataConfig(path=str(tmp_path)), "val")) == 2


@pytest.mark.parametrize("lacking", ["test_batch", "batches.meta"])
def test_cifar_that_lacks_a_file_is_cifar_all_the_same(tmp_path, cache, pictures, lacking):
    for name, content in cifar_files(pictures, hundred=False, binary=False).items():
        if name != lacking:
            (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"has no {lacking}: it is incomplete"):
        read_split(DataConfig(path=str(tmp_path)), "val")


def test_cifar_that_python_3_pickled_again_and_labels_without_a_name(tmp_path, cache, pictures):
    for name, content in cifar_files(pictures, hundred=True, binary=False).items():
        (tmp_path / name).write_bytes(content)
    batch = {b"data": pictures[:2].transpose(0, 3, 1, 2).reshape(2, 3072), b"fine_labels": [2, 0]}
    (tmp_path / "train").write_bytes(pickle.dumps(batch, protocol=2))
    assert np.array_equal(read_split(DataConfig(path=str(tmp_path)), "train").read(1), pictures[1])
    (tmp_path / "train").write_bytes(pickle.dumps({**batch, b"fine_labels": [2, 77]}, protocol=2))
    with pytest.raises(UserError, match="it has labels from 2 to 77, but names 3 classes, from 0"):
        read_split(DataConfig(path=str(tmp_path)), "train")


def test_cifar_with_fewer_labels_than_images_is_refused(tmp_path, cache, pictures):
    for name, content in cifar_files(pictures, False, False).items():
        batch = pickle.loads(content, encoding="bytes")
        if b"labels" in batch:
            batch[b"labels"] = batch[b"labels"][:-1]
        (tmp_path / name).write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(UserError, match=r"cannot be read as CIFAR: it has [\d,]+ labels for [\d,]+ images"):
        read_split(DataConfig(path=str(tmp_path)), "train")


def idx_file(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.mark.parametrize(("below", "mark", "pack"), [("", "-", gzip.compress), ("raw", "-", bytes), ("", ".", bytes)])
def test_fashion_mnist_is_as_the_sample(tmp_path, cache, sample, below, mark, pack):
    names = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot")
    (tmp_path / below).mkdir(exist_ok=True)
    for split, stem, labels in (
        ("train", "train", [9, 0, 0, 3, 0, 2, 7, 2, 5]),
        ("val", "t10k", [9, 2, 1, 1, 6, 1, 4, 6]),
    ):
        files = [sorted((sample / split / names[label]).iterdir())[place] for place, label in enumerate(labels)]
        pixels = np.stack([np.asarray(Image.open(file)) for file in files])
        (tmp_path / below / f"{stem}-images{mark}idx3-ubyte{'.gz' * (pack is gzip.compress)}").write_bytes(
            pack(idx_file(pixels))
        )
        (tmp_path / below / f"{stem}-labels{mark}idx1-ubyte{'.gz' * (pack is gzip.compress)}").write_bytes(
            pack(idx_file(np.array(labels)))
        )
        found = read_split(DataConfig(path=str(tmp_path)), split)
        assert found.classes == read_split(DataConfig(path="sample"), split).classes
        assert [found.classes[label] for label in found.labels] == [names[label] for label in labels]
        assert np.array_equal(np.stack([found.read(index)[..., 0] for index in range(len(labels))]), pixels)
    assert find_layout(tmp_path) == "MNIST's idx files"


def test_mnist_has_digits_and_files_that_do_not_fit_are_refused(tmp_path, cache, pictures):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(idx_file(pictures[..., 0]))
    labels.write_bytes(idx_file(np.array([5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5])))
    split = read_split(DataConfig(path=str(tmp_path)), "train")
    assert split.classes == tuple("0123456789")
    assert split.labels.tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5]
    with pytest.raises(UserError, match="has no t10k-images-idx3-ubyte"):
        read_split(DataConfig(path=str(tmp_path)), "val")
    labels.write_bytes(idx_file(np.array([5, 0, 4])))
    with pytest.raises(UserError, match="has 3 labels for the 12 images"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    images.write_bytes(images.read_bytes()[:-5])
    with pytest.raises(
        UserError, match=r"cannot be read: it should have [\d,]+ bytes of values, and has [\d,]+: fetch"
    ):
        read_split(DataConfig(path=str(tmp_path)), "train")
    images.write_bytes(b"")
    with pytest.raises(UserError, match="it is not an idx file"):
        read_split(DataConfig(path=str(tmp_path)), "train")
    images.unlink()
    with pytest.raises(UserError, match="has no train-images-idx3-ubyte, gzipped or not"):
        read_split(DataConfig(path=str(tmp_path)), "train")


def test_synthetic_images_are_the_same_every_time():
    whole = read_split(DataConfig(path="synthetic"), "train")
    assert (len(whole.classes), len(whole)) == (1000, 10_000)
    train, val = (read_split(DataConfig(path="synthetic:12x3"), split) for split in ("train", "val"))
    assert (len(train.classes), np.bincount(train.labels).tolist()) == (12, [3] * 12)
    assert list(train.classes) == sorted(train.classes)
    assert (train.read(5).shape, train.read(5).dtype) == ((256, 256, 3), np.uint8)
    assert np.array_equal(train.read(5), read_split(DataConfig(path="synthetic:12x3"), "train").read(5))
    assert len({split.read(index).tobytes() for split in (train, val) for index in range(36)}) == 72
