"""Keras's HDF5 files: weights and whole models of Keras 1, 2 and 3 (.h5), and weights of Keras 3 (.weights.h5)."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cnnbench.archs.weights.keras import PARTS, as_torch, numbered_variables
from cnnbench.runtime.errors import UserError

PACKED = 1032  # times as many bytes may come out of deflate as go in
SIGN = b"\x89HDF\r\n\x1a\n"
VARIABLE = re.compile(rf"^(?:.*?[/_])?({'|'.join(sorted(PARTS, key=len, reverse=True))})(?:_\d+)?(?::\d+)?$")


def read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file of Keras, as torch names and lays them out; of another HDF5 file all of its arrays, by
    their paths in it.

    Raises UserError if h5py is missing, OSError for a file that is damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"{path} is HDF5, which needs the package h5py: pip install 'cnnbench[convert]'") from error
    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            return as_torch(_named(root))
        if "layers" in root:
            return as_torch(_numbered(root["layers"], ""))
        return _arrays(file)


def _named(root: Any) -> dict[str, dict[str, np.ndarray]]:
    """Variables by layer and name, of a file whose groups list the names of their variables."""
    layers: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for name in _texts(root, "layer_names"):
        group = root[name]
        variables = _texts(group, "weight_names")
        several = _is_model(variables)
        for variable in variables:
            # A model within the model: its layers are told by the names of their variables.
            layer = f"{name}.{variable.rpartition('/')[0].replace('/', '.')}" if several else name
            layers[layer][_variable(variable)] = _array(group[variable])
    return layers


def _is_model(variables: list[str]) -> bool:
    """Whether a group holds several layers: two of its variables would be the same tensor of one layer here."""
    parts = [PARTS.get(name, name) for name in map(_variable, variables)]
    return len(set(parts)) < len(parts)


def _numbered(groups: Any, above: str) -> dict[str, dict[str, np.ndarray]]:
    """Variables by layer and name, of the layers in `groups`, whose variables only have numbers.

    Before Keras 3 wrote their names, layers were numbered in the order of the model, which is not that of their making
    as in the names that Keras gives: these are told apart.
    """
    layers: dict[str, dict[str, np.ndarray]] = {}
    for key, group in groups.items():
        variables = group.get("vars", {})
        name = above + _text(getattr(variables, "attrs", {}).get("name", f"unnamed_{key}"))
        if len(variables):
            values = [_value(variables[number]) for number in sorted(variables, key=int)]
            layers[name] = numbered_variables(re.sub(r"_\d+$", "", key), values)
        if "layers" in group:
            layers |= _numbered(group["layers"], f"{name}.")
    return layers


def _value(dataset: Any) -> np.ndarray:
    """An array; one of bfloat16 is stored as the upper halves of float32."""
    value = _array(dataset)
    if dataset.attrs.get("dtype") == "bfloat16":
        return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return value


def _array(dataset: Any) -> np.ndarray:
    """The values of a dataset. ValueError if they are more than the file can hold, however it is packed: one that was
    never written has any size."""
    most = PACKED * os.path.getsize(dataset.file.filename)
    if dataset.nbytes > most:
        raise ValueError(f"{dataset.name} is of {dataset.nbytes:,} bytes, more than its file can hold")
    return dataset[()]


def _arrays(file: Any) -> dict[str, np.ndarray]:
    import h5py

    found: dict[str, np.ndarray] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf":
            found[name.replace("/", ".")] = _array(item)

    file.visititems(take)
    return found


def _variable(name: str) -> str:
    """kernel of block1_conv1/kernel:0, W of block1_conv1_W_1:0."""
    match = VARIABLE.match(name)
    return match[1] if match else name.rpartition("/")[2]


def _texts(group: Any, name: str) -> list[str]:
    """A list of texts in the attribute `name`, which Keras splits into name0, name1, ... where it is long."""
    names = [name] if name in group.attrs else []
    while f"{name}{len(names)}" in group.attrs:
        names.append(f"{name}{len(names)}")
    return [_text(text) for each in names for text in group.attrs[each]]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
