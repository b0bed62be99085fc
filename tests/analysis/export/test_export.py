"""Exported files: what other programs read from them, and that a wrong one is not left behind."""

from __future__ import annotations

import copy
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from cnnbench.analysis.export import forms as module
from cnnbench.analysis.export.forms import EXPORT_FORMS, export
from cnnbench.analysis.export.record import record
from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.read import read_weights
from cnnbench.config.analyse import SUFFIXES
from cnnbench.config.arch import ArchConfig
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow

# One network of each kind of layer: LRN and groups, rounded-up pooling, branches, padded shortcuts, concatenation.
NETWORKS = [
    ("alexnet", 63, {"image_size": 63}),
    ("googlenet", 64, {"aux_heads": False}),
    ("resnet20", 32, {"depths": (1, 1, 1)}),
    ("densenet_bc100_12", 32, {"depths": (2, 2, 2)}),
]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def outputs(path, images: torch.Tensor) -> torch.Tensor:
    """What a program without cnnbench gets out of a file with a graph."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()(images)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


def test_every_form_has_an_ending():
    assert set(EXPORT_FORMS) == set(SUFFIXES)


@pytest.mark.parametrize(("name", "size", "options"), NETWORKS)
@pytest.mark.parametrize("form", ["onnx", "torch_export"])
def test_graph(tmp_path, name, size, options, form):
    model = build(name, 7, **options)
    path = tmp_path / f"model{SUFFIXES[form]}"
    report = export(model, path, form, size)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "one file, weights inside"
    assert report.size == path.stat().st_size > 4 * sum(parameter.numel() for parameter in model.parameters())
    assert report.difference <= report.bound
    for batch in (1, 5):
        images = torch.randn(batch, 3, size, size)
        with torch.no_grad():
            torch.testing.assert_close(outputs(path, images), model(images), rtol=1e-3, atol=report.bound)


def test_safetensors(tmp_path):
    model = build("resnet20", 7)
    about = {"arch": "resnet20", "mean": "[0.5, 0.5, 0.5]", "options": "{}"}
    report = export(model, tmp_path / "m.safetensors", "safetensors", 32, record=about)
    assert (report.difference, report.bound) == (0, 0)
    found = load_file(tmp_path / "m.safetensors")
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())
    with safe_open(tmp_path / "m.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt", **about}
        assert isinstance(file.get_tensor("fc.weight"), np.ndarray)
    with pytest.raises(ValueError, match=r"cnnbench wrote it for resnet20$"):
        load_weights(build("lenet"), tmp_path / "m.safetensors")


@pytest.mark.parametrize(("epsilon", "stated"), [(None, {}), (2e-3, {"bn_epsilon": 2e-3})])
def test_an_epsilon_that_was_given_travels_with_the_weights(tmp_path, epsilon, stated):
    """It is no tensor, and outputs are others without it."""
    arch = ArchConfig(
        name="resnet20", crop_ratio=1.0, interpolation="bilinear", mean=[0.5] * 3, std=[0.5] * 3, bn_epsilon=epsilon
    )
    about = record(arch, 32, 7, None)
    export(build("resnet20", 7), tmp_path / "m.safetensors", "safetensors", 32, record=about)
    found = read_weights(tmp_path / "m.safetensors").stated
    assert {name: value for name, value in found.items() if name == "bn_epsilon"} == stated


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, disk_calls):
    export(build("lenet", 10), tmp_path / "m.safetensors", "safetensors", 32)
    scratch = f".m.{os.getpid()}.safetensors"
    assert disk_calls == [("sync", scratch), ("name", "m.safetensors"), ("sync", tmp_path.name)]


def test_grey_images(tmp_path):
    report = export(build("lenet", 10, in_channels=1), tmp_path / "m.pt2", "torch_export", 32, in_channels=1)
    assert outputs(report.path, torch.zeros(4, 1, 32, 32)).shape == (4, 10)


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_a_file_that_differs_is_not_left(tmp_path, monkeypatch, form):
    def pack_another(model: nn.Module, *rest: object) -> bytes:
        other = copy.deepcopy(model)
        nn.init.constant_(other.output.bias, 0.1)
        return how.pack(other, *rest)

    how, path = EXPORT_FORMS[form], tmp_path / f"model{SUFFIXES[form]}"
    path.write_text("the file before")
    monkeypatch.setitem(EXPORT_FORMS, form, module.Form(pack_another, how.load, how.tolerance))
    with pytest.raises(ValueError, match=r"the logits of \w+ differ from the network's by 0\.\d+; at most "):
        export(build("lenet", 10), path, form, 32)
    assert path.read_text() == "the file before"
    assert len(list(tmp_path.iterdir())) == 1


def test_logits_that_are_no_numbers_are_refused(tmp_path):
    model = build("lenet", 10)
    nn.init.constant_(model.output.bias, float("nan"))
    with pytest.raises(ValueError, match="differ from the network"):
        export(model, tmp_path / "m.safetensors", "safetensors", 32)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="cannot export to 'tflite': choose one of safetensors, onnx, torch_export"):
        export(build("lenet"), tmp_path / "m", "tflite", 32)
    for form in EXPORT_FORMS:
        with pytest.raises(UserError, match=f"^cannot write {tmp_path}/no/m: "):
            export(build("lenet"), tmp_path / "no/m", form, 32)


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"onnx needs the package onnxscript: pip install 'cnnbench\[export\]'"):
        export(build("lenet"), tmp_path / "m.onnx", "onnx", 32)


# ---- the command ----


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "lenet.pt"
    torch.save(build("lenet", 10).state_dict(), path)
    return path


def test_command_of_a_run(command, tmp_path, small_data):
    run = ("run=a", "device=cpu")
    done = command("train", "recipe=quick", "epochs=1", "batch=20", f"data={small_data}", "data.workers=1", *run)
    assert done.returncode == 0, done.stderr
    done = command("export", "run=a", "form=onnx")
    assert done.returncode == 0, done.stderr
    assert "lenet after epoch 1 of runs/a -> onnx" in done.stdout
    assert "runs/a/lenet.onnx" in done.stdout
    assert "float32 (N, 3)" in done.stdout
    record = {entry.key: entry.value for entry in onnx.load(tmp_path / "runs/a/lenet.onnx").metadata_props}
    assert json.loads(record["classes"]) == ["bag", "sandal", "trouser"]
    assert json.loads(record["mean"]) == [0.0784] * 3
    model = build("lenet", 3).eval()
    model.load_state_dict(torch.load(tmp_path / "runs/a/checkpoints/last.pt", weights_only=True)["model"])
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(outputs(tmp_path / "runs/a/lenet.onnx", images), model(images), rtol=1e-4, atol=1e-5)
    done = command("export", "run=a", "checkpoint=best", "output=m.safetensors")
    assert done.returncode == 0, done.stderr
    assert set(load_file(tmp_path / "m.safetensors")) == set(model.state_dict())


def test_command_of_a_file(command, tmp_path, weights):
    done = command("export", "arch=lenet", f"weights={weights}", "num_classes=10", "form=torch_export")
    assert done.returncode == 0, done.stderr
    assert "lenet.pt2" in done.stdout
    assert "largest difference 0, allowed" in done.stdout
    assert outputs(tmp_path / "lenet.pt2", torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("num_classes=7", "has 10 classes in the file and 7 in the network"),
        ("num_classes=10 output=no/m.safetensors", "output=no/m.safetensors cannot be written: there is no folder"),
        ("num_classes=10 arch.in_channels=1", "in the file and (6, 1, 5, 5) in the network"),
    ],
)
def test_command_that_fails_leaves_nothing(command, tmp_path, weights, words, hint):
    done = command("export", "arch=lenet", f"weights={weights}", *words.split())
    assert done.returncode == 2, done.stderr
    assert hint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_training_from_weights_says_what_it_did(command, small_data, weights):
    words = ("recipe=quick", "epochs=1", "batch=20", "data.workers=1", "device=cpu")
    done = command("train", f"data={small_data}", f"weights={weights}", *words)
    assert done.returncode == 0, done.stderr
    assert "weights     new classifier output: 10 classes in the file, 3 in the network" in done.stdout
