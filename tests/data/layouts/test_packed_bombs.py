"""A few packed bytes that become many: what is read of them is bounded by what the file has to hold."""

from __future__ import annotations

import gzip
import io
import resource
import tarfile
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from cnnbench.archs.weights import forms
from cnnbench.archs.weights.read import read_weights
from cnnbench.config.data import SourceConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow

ZEROS = 400_000_000  # bytes, of which gzip makes 400 kB


@contextmanager
def little_memory():
    """100 MB more than there are already."""
    with open("/proc/self/statm") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + 100_000_000
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def packed(start: bytes) -> bytes:
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(ZEROS // 4_000_000):
            file.write(bytes(4_000_000))
    return content.getvalue()


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((2, 28, 28), "should have 1,568 bytes of values, and has more"), ((1 << 31, 28, 28), "more than 4,294,967,296")],
)
def test_an_idx_file_is_unpacked_no_further_than_it_says(tmp_path, shape, sentence):
    start = b"\0\0\x08\x03" + np.array(shape, ">u4").tobytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(packed(start))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\2\0\1")
    with little_memory(), pytest.raises(UserError, match=sentence):
        read_split(SourceConfig(path=str(tmp_path)), "train")


@pytest.mark.parametrize(
    ("archive", "member", "sentence"),
    [
        (
            "cifar-10-binary.tar.gz",
            "cifar-10-batches-bin/data_batch_1.bin",
            "is of 400,000,000 bytes, more than 268,435,456",
        ),
        (
            "ILSVRC2012_devkit_t12.tar.gz",
            "ILSVRC2012_validation_ground_truth.txt",
            "is of 400,000,000 bytes: download it",
        ),
    ],
    ids=["CIFAR", "devkit"],
)
def test_members_of_archives_are_no_larger_than_theirs(tmp_path, archive, member, sentence):
    with tarfile.open(tmp_path / archive, "w:gz", compresslevel=1) as tar:
        header = tarfile.TarInfo(member)
        header.size = ZEROS
        with open("/dev/zero", "rb") as zeros:
            tar.addfile(header, zeros)
        for name in (
            *(f"cifar-10-batches-bin/data_batch_{n}.bin" for n in (2, 3, 4, 5)),
            "test_batch.bin",
            "batches.meta.txt",
        ):
            tar.addfile(tarfile.TarInfo(name))
    with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("ILSVRC2012_val_00000001.JPEG"))
    with little_memory(), pytest.raises(UserError, match=sentence):
        read_split(SourceConfig(path=str(tmp_path)), "train" if "cifar" in archive else "val")


def test_an_array_that_was_never_written_is_no_weight(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("c1/weight", (1 << 20, 1 << 20), "f4")
    with little_memory(), pytest.raises(ValueError, match=r"of 4,398,046,511,104 bytes, more than its file can hold"):
        read_weights(tmp_path / "w.h5")


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c1.weight.npy", bytes(10_000_000))
    monkeypatch.setattr(forms, "available_memory", lambda: 9_000_000)
    with pytest.raises(ValueError, match=r"it unpacks to 10\.0 MB, and 9\.0 MB of memory are free"):
        read_weights(tmp_path / "w.npz")
