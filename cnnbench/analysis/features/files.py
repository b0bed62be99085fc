"""Features as files that are written image by image and read without being loaded: .npy and .safetensors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cnnbench.runtime.files import check_free_space, replacing, writing

Shapes = Mapping[str, tuple[int, ...]]  # of each layer's values for one image
FLOAT32 = 4  # bytes


@contextmanager
def feature_file(path: Path, shapes: Shapes, images: int) -> Iterator[dict[str, np.ndarray]]:
    """Arrays float32 (images, *shape) by layer, which become the file `path` at the end of the block, whole or not at
    all; the memory is the disk's. Raises UserError for a disk that is too small, or cannot be written."""
    needed = FLOAT32 * images * sum(math.prod(shape) for shape in shapes.values())
    with writing(path):
        check_free_space(path.parent, needed, "make room, use pool=average, or fewer layers")
        with replacing(path) as scratch:
            arrays = _npy(scratch, shapes, images) if path.suffix == ".npy" else _safetensors(scratch, shapes, images)
            yield arrays
            for array in arrays.values():
                if isinstance(array, np.memmap):
                    array.flush()


def _npy(path: Path, shapes: Shapes, images: int) -> dict[str, np.ndarray]:
    ((name, shape),) = shapes.items()
    return {name: np.lib.format.open_memmap(path, "w+", np.float32, (images, *shape))}


def _safetensors(path: Path, shapes: Shapes, images: int) -> dict[str, np.ndarray]:
    """By hand, as the format's README has it: the library writes only what is in memory as a whole. A header's length,
    8 bytes; the header, JSON, padded to 8 bytes; the values."""
    header: dict[str, object] = {"__metadata__": {"format": "np"}}
    ends = [0]
    for name, shape in shapes.items():
        ends.append(ends[-1] + FLOAT32 * images * math.prod(shape))
        header[name] = {"dtype": "F32", "shape": [images, *shape], "data_offsets": ends[-2:]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        begin = file.tell()
        file.truncate(begin + ends[-1])
    return {
        name: np.memmap(path, np.float32, "r+", begin + start, (images, *shape))
        for start, (name, shape) in zip(ends[:-1], shapes.items(), strict=True)
    }
