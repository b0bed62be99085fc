"""Files of Keras, ONNX and TensorFlow.js, written here as those write them: names, layouts, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checks import build_meta
from torch import nn
from torch.nn import functional

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.publisher import expected_by
from cnnbench.archs.weights.read import read_weights

pytestmark = pytest.mark.slow

h5py = pytest.importorskip("h5py")

Layers = dict[str, dict[str, np.ndarray]]


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


SEPARABLE = {"depthwise_kernel": draw(3, 3, 4, 2), "pointwise_kernel": draw(1, 1, 8, 5)}
LAYERS: Layers = {
    "conv": {"kernel": draw(3, 3, 2, 4), "bias": draw(4)},
    "separable": SEPARABLE,
    "bn": {"beta": draw(5), "moving_mean": draw(5), "moving_variance": draw(5) ** 2},
    "dense": {"kernel": draw(5, 7), "bias": draw(7)},
}


def named(path: Path, layers: Layers, spelled: str = "{layer}/{variable}:0", root: str = "model_weights") -> Path:
    """A file whose groups list the names of their variables: Keras 2 and its predecessors, `spelled` so."""
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        group.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, variables in layers.items():
            names = [spelled.format(layer=layer, variable=variable) for variable in variables]
            group.create_group(layer).attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, variables.values(), strict=True):
                group[layer][name] = value
    return path


def numbered(path: Path, layers: Layers, kinds: dict[str, str]) -> Path:
    """A file of Keras 3, layers by their classes and variables by numbers; names beside them."""
    with h5py.File(path, "w") as file:
        for layer, variables in layers.items():
            group = file.create_group(f"layers/{kinds[layer]}/vars")
            group.attrs["name"] = layer
            for number, value in enumerate(variables.values()):
                group[str(number)] = value
    return path


def check_layers(path: Path) -> None:
    found = read_weights(path).tensors
    x = torch.from_numpy(draw(1, 9, 9, 2))
    kernel = torch.from_numpy(LAYERS["conv"]["kernel"])
    # Keras's definition: patch by patch, sum over height, width and channel
    patches = x.unfold(1, 3, 1).unfold(2, 3, 1)
    expected = torch.einsum("nhwcij,ijco->nohw", patches, kernel)
    torch.testing.assert_close(functional.conv2d(x.permute(0, 3, 1, 2), found["conv.weight"]), expected)
    x = torch.from_numpy(draw(1, 4, 9, 9))
    patches = x.unfold(2, 3, 1).unfold(3, 3, 1)
    expected = torch.einsum("nchwij,ijcm->ncmhw", patches, torch.from_numpy(SEPARABLE["depthwise_kernel"])).flatten(
        1, 2
    )
    torch.testing.assert_close(functional.conv2d(x, found["separable.depthwise.weight"], groups=4), expected)
    assert found["separable.pointwise.weight"].shape == (5, 8, 1, 1)
    assert torch.equal(found["bn.weight"], torch.ones(5))
    assert found["bn.running_var"].tolist() == LAYERS["bn"]["moving_variance"].tolist()
    assert torch.equal(found["dense.weight"], torch.from_numpy(LAYERS["dense"]["kernel"]).T)


def test_keras_2_names(tmp_path):
    check_layers(named(tmp_path / "a.h5", LAYERS))
    check_layers(named(tmp_path / "b.h5", LAYERS, root=""))


def test_keras_3_numbers(tmp_path):
    kinds = {"conv": "conv2d", "separable": "separable_conv2d", "bn": "batch_normalization_3", "dense": "dense_1"}
    check_layers(numbered(tmp_path / "a.weights.h5", LAYERS, kinds))


def test_layers_without_names_are_not_taken_for_others(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/conv2d_1/vars/0"] = draw(3, 3, 2, 4)
        file["layers/functional/layers/dense/vars/0"] = draw(3, 2)
    found = read_weights(tmp_path / "a.weights.h5").tensors
    assert list(found) == ["unnamed_conv2d_1.weight", "unnamed_functional.unnamed_dense.weight"]


def test_names_before_keras_2_and_of_models_in_a_model(tmp_path):
    old = named(tmp_path / "a.h5", {"fc1": {"W": draw(3, 2), "b": draw(2)}}, "{layer}_{variable}_1:0")
    assert {name: tuple(value.shape) for name, value in read_weights(old).tensors.items()} == {
        "fc1.weight": (2, 3), "fc1.bias": (2,),
    }  # fmt: skip
    inner = {"vgg": {"a/kernel": draw(3, 2), "a/bias": draw(2), "b/gamma": draw(2)}}
    names = read_weights(named(tmp_path / "b.h5", inner, "{variable}:0")).tensors
    assert list(names) == ["vgg.a.weight", "vgg.a.bias", "vgg.b.weight"]


def test_other_hdf5_files_are_read_by_their_paths(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["c1/weight"] = draw(2, 3)
    assert list(read_weights(tmp_path / "a.h5").tensors) == ["c1.weight"]


def as_keras(model: nn.Module, names: dict[str, str]) -> Layers:
    """The layers of `model` as Keras's, by their names there."""
    layers: Layers = {}
    for name, layer in model.named_modules():
        if name in names and isinstance(layer, nn.Conv2d | nn.Linear):
            order = (2, 3, 1, 0) if isinstance(layer, nn.Conv2d) else (1, 0)
            found = {"kernel": layer.weight.detach().permute(order).numpy(), "bias": layer.bias.detach().numpy()}
            layers[names[name]] = found
    return layers


def test_vgg_sees_blue_first_and_rows_first(tmp_path):
    torch.manual_seed(0)
    model = build("vgg11", 3, image_size=64)
    convolutions = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    names = dict(zip(convolutions, ("block1_conv1", "block2_conv1", "block3_conv1", "block3_conv2"), strict=False))
    names |= dict(zip(convolutions[4:], ("block4_conv1", "block4_conv2", "block5_conv1", "block5_conv2"), strict=True))
    layers = as_keras(model, names | {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"})
    layers["block1_conv1"]["kernel"] = layers["block1_conv1"]["kernel"][:, :, ::-1]
    rows = layers["fc1"]["kernel"].reshape(512, 2, 2, -1).transpose(1, 2, 0, 3)
    layers["fc1"]["kernel"] = rows.reshape(2048, -1)
    other = build("vgg11", 3, image_size=64)
    assert load_weights(other, named(tmp_path / "w.h5", layers)) == [
        "renamed from Keras Applications' names; its first convolution takes BGR: turned to RGB"
    ]
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_keras_is_recognised_by_its_layers(tmp_path):
    layers: Layers = {}
    model = build_meta("resnet50_v1", conv_bias=True)
    for name, value in model.state_dict().items():
        layer, _, part = name.rpartition(".")
        known = {"conv1": "conv1_conv", "bn1": "conv1_bn", "fc": "predictions"}.get(layer)
        if known is None:
            stage, block, rest = layer.split(".", 2)
            kind = {"downsample.0": "0_conv", "downsample.1": "0_bn"}.get(rest, f"{rest[-1]}_{rest[:-1]}")
            known = f"conv{int(stage[-1]) + 1}_block{int(block) + 1}_{kind}"
        norm = "bn" in known
        variable = {
            "weight": "gamma" if norm else "kernel", "bias": "beta" if norm else "bias",
            "running_mean": "moving_mean", "running_var": "moving_variance",
        }.get(part)  # fmt: skip
        if variable:
            shape = tuple(value.shape)
            shape = {4: (*shape[2:], *shape[1::-1]), 2: shape[::-1]}.get(len(shape), shape)
            layers.setdefault(known, {})[variable] = np.zeros(shape, np.float16)
    found = expected_by("resnet50_v1", str(named(tmp_path / "w.h5", layers)), None)
    assert found.label == "keras"
    assert found.keys["arch.options.conv_bias"] is True
    assert found.keys["arch.mean"][0] == 123.68 / 255


def test_without_h5py_or_onnx_the_extra_is_named(tmp_path, monkeypatch):
    path = named(tmp_path / "w.h5", LAYERS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        ValueError, match=r"w.h5 is HDF5, which needs the package h5py: pip install 'cnnbench\[convert\]'$"
    ):
        read_weights(path)
    (tmp_path / "w.onnx").write_bytes(b"\x08\x0a\x12\x07pytorch")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ValueError, match=r"w.onnx is ONNX, which needs the package onnx: pip install 'cnnbench\[convert\]'$"
    ):
        read_weights(tmp_path / "w.onnx")


def test_a_damaged_hdf5_file(tmp_path):
    path = named(tmp_path / "w.h5", LAYERS)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"w.h5 cannot be read as weights, it may be cut short or damaged: "):
        read_weights(path)


def test_onnx_initialisers(tmp_path):
    onnx = pytest.importorskip("onnx")
    state = build("lenet", 10).state_dict()
    tensors = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in state.items()]
    tensors.append(onnx.numpy_helper.from_array(np.array([1, 2]), "shape"))
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], tensors)), tmp_path / "w.bin")
    model = build("lenet", 10)
    assert load_weights(model, tmp_path / "w.bin") == []
    assert torch.equal(model.c1.weight, state["c1.weight"])


def test_tensorflow_js(tmp_path):
    kernel, bias = draw(3, 3, 2, 4), np.arange(4, dtype=np.uint8)
    (tmp_path / "group1-shard1of2.bin").write_bytes(kernel.tobytes()[:100])
    (tmp_path / "group1-shard2of2.bin").write_bytes(kernel.tobytes()[100:] + bias.tobytes())
    scale = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    weights = [
        {"name": "conv/kernel", "shape": [3, 3, 2, 4], "dtype": "float32"},
        {"name": "conv/bias", "shape": [4], "dtype": "float32", "quantization": scale},
    ]
    manifest = {"paths": ["group1-shard1of2.bin", "group1-shard2of2.bin"], "weights": weights}
    (tmp_path / "model.json").write_text(json.dumps({"format": "layers-model", "weightsManifest": [manifest]}))
    found = read_weights(tmp_path / "model.json").tensors
    assert torch.equal(found["conv.weight"], torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
    assert found["conv.bias"].tolist() == [-1.0, -0.5, 0.0, 0.5]
    (tmp_path / "group1-shard2of2.bin").unlink()
    with pytest.raises(ValueError, match=r"group1-shard2of2.bin, a part of it, is not beside it$"):
        read_weights(tmp_path / "model.json")
