"""Weights of LeNet in every form that cnnbench reads, as a whole file `w`, beside images and lists to evaluate with."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import torch
from whole_data_sets import CLASSES, class_folders


def state() -> dict[str, torch.Tensor]:
    from cnnbench.archs.registry import build

    return build("lenet", len(CLASSES)).state_dict()


def torch_file(folder: Path, zipped: bool = True) -> None:
    class_folders(folder)
    torch.save(state(), folder / "w", _use_new_zipfile_serialization=zipped)


def plain_pickle(folder: Path) -> None:
    class_folders(folder)
    content = {"epoch": 3, "state_dict": {name: value.numpy() for name, value in state().items()}}
    (folder / "w").write_bytes(pickle.dumps(content, 4))


def safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    class_folders(folder)
    save_file(state(), folder / "w", {"arch": "lenet"})


def npz(folder: Path) -> None:
    class_folders(folder)
    np.savez(folder / "w.npz", **{name: value.numpy() for name, value in state().items()})
    (folder / "w.npz").rename(folder / "w")


def hdf5(folder: Path) -> None:
    import h5py

    class_folders(folder)
    with h5py.File(folder / "w", "w") as file:
        layers = sorted({name.rpartition(".")[0] for name in state()})
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            kernel = state()[f"{layer}.weight"].numpy()
            group[names[0]] = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
            group[names[1]] = state()[f"{layer}.bias"].numpy()


def onnx(folder: Path) -> None:
    import onnx

    class_folders(folder)
    tensors = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in state().items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], tensors)), folder / "w")


def tensorflow_js(folder: Path) -> None:
    class_folders(folder)
    weights, content = [], b""
    for name, value in state().items():
        layer, _, part = name.rpartition(".")
        array = value.numpy()
        array = array if part == "bias" else array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        name = f"{layer}/{'bias' if part == 'bias' else 'kernel'}"
        weights.append({"name": name, "shape": list(array.shape), "dtype": "float32"})
        content += np.ascontiguousarray(array).tobytes()
    (folder / "w.bin").write_bytes(content)
    manifest = {"paths": ["w.bin"], "weights": weights}
    (folder / "w").write_text(json.dumps({"format": "layers-model", "weightsManifest": [manifest]}))


def other_lists(folder: Path) -> None:
    """data.classes=, labels= and exclude=, and weights to evaluate with."""
    torch_file(folder)
    (folder / "classes.txt").write_text("\n".join(f"{name} a fish" for name in CLASSES))
    (folder / "labels.json").write_text(json.dumps({f"val/{name}/{n}.png": name for name in CLASSES for n in range(2)}))
    (folder / "exclude.csv").write_text(f"file,why\nval/{CLASSES[0]}/0.png,blurred\n")
