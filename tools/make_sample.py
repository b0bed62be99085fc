"""Make the bundled sample from Fashion-MNIST's four original files: python tools/make_sample.py FOLDER OUTPUT.tar.xz

The first 1,000 training and 200 test images of each class become uncompressed PNG files in ILSVRC's class-folder layout
(train/CLASS/NAME.png, val/CLASS/NAME.png), in one xz-packed tar. xz packs bare pixels better than PNG's own
compression does. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

# In the order of Fashion-MNIST's labels 0 to 9.
CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"]
SPLITS = {"train": ("train", 1000), "val": ("t10k", 200)}  # folder -> stem of the files, images per class


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in a gzipped idx file (format: yann.lecun.com/exdb/mnist)."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def add_split(tar: tarfile.TarFile, source: Path, split: str) -> None:
    stem, per_class = SPLITS[split]
    images = read_idx(source / f"{stem}-images-idx3-ubyte.gz")
    labels = read_idx(source / f"{stem}-labels-idx1-ubyte.gz")
    for label, name in enumerate(CLASSES):
        for index in np.flatnonzero(labels == label)[:per_class]:
            png = io.BytesIO()
            Image.fromarray(images[index]).save(png, "png", compress_level=0)
            add_file(tar, f"{split}/{name}/{stem}_{index:05d}.png", png.getvalue())


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def main(source: Path, output: Path) -> None:
    with tarfile.open(output, "w:xz", preset=9) as tar:
        add_file(tar, "LICENSE", (Path(__file__).parents[1] / "cnnbench/data/sample/LICENSE").read_bytes())
        for split in SPLITS:
            add_split(tar, source, split)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
