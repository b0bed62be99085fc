"""The weights in files that hold a graph too: ONNX and TensorFlow.js."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.archs.weights.keras import as_torch
from cnnbench.runtime.errors import UserError

# Tags of the fields of onnx.ModelProto that can follow the version of the format, its first.
ONNX_SECOND = b"\x12\x1a\x22\x28\x32\x3a\x42\x72"


def is_onnx(start: bytes) -> bool:
    """Whether a file that begins with `start` is an ONNX model, which has no sign of its own."""
    return len(start) > 2 and start[:1] == b"\x08" and start[1] < 0x80 and start[2:3] in ONNX_SECOND


def read_onnx(path: Path) -> dict[str, np.ndarray]:
    """The initialisers that are of real numbers, by their names. Raises UserError if the package onnx is missing."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise UserError(f"{path} is ONNX, which needs the package onnx: pip install 'cnnbench[convert]'") from error
    graph = onnx.load(str(path)).graph
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    return {name: value for name, value in arrays.items() if value.dtype.kind == "f"}


def read_tensorflow_js(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The weights that `manifest`, of a model.json in `folder`, describes, as torch names and lays them out.

    github.com/tensorflow/tfjs, tfjs-core/src/io/types.ts: groups of files, in which the tensors follow each other;
    some are stored as integers, which stand for min + scale * integer.
    """
    layers: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for group in manifest:
        content = b"".join((folder / name).read_bytes() for name in group["paths"])
        start = 0
        for about in group["weights"]:
            layer, _, variable = about["name"].rpartition("/")
            stored = np.dtype(about.get("quantization", about)["dtype"])
            count = math.prod(about["shape"])
            values = np.frombuffer(content, stored, count, start).reshape(about["shape"])
            start += count * stored.itemsize
            layers[layer.replace("/", ".")][variable] = _numbers(values, about.get("quantization", {}))
    return as_torch(layers)


def _numbers(values: np.ndarray, quantised: dict[str, Any]) -> np.ndarray:
    if "scale" not in quantised:
        return values
    return (values * quantised["scale"] + quantised["min"]).astype(np.float32)
