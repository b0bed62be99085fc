"""`cnnbench convert`: a foreign file becomes safetensors that cnnbench takes without a further key."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from public_cifar import Drawn, meliketoy_wrn16_4
from safetensors import safe_open
from safetensors.torch import load_file

from cnnbench.archs.registry import build
from cnnbench.archs.weights.load import load_weights
from cnnbench.archs.weights.publisher import expected_by


def metadata(path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_into_a_network_that_needs_no_key_any_more(tmp_path, command):
    drawn, images = Drawn(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    theirs = meliketoy_wrn16_4(drawn, images)
    torch.save({"net": {f"module.{name}": value for name, value in drawn.tensors.items()}}, tmp_path / "w.pth")
    output = tmp_path / "w.safetensors"
    done = command("convert", tmp_path / "w.pth", "arch=wrn16_4", f"output={output}")
    assert done.returncode == 0, done.stderr
    followed, said = done.stdout.splitlines()
    assert followed.startswith("weights     from meliketoy: ")
    assert said == (
        f"{tmp_path}/w.pth: 99 tensors under the names of wrn16_4 -> {output}, "
        f"{output.stat().st_size / 1e6:.1f} MB; renamed from wide-resnet.pytorch's names"
    )
    about = metadata(output)
    assert (about["arch"], about["num_classes"], about["image_size"]) == ("wrn16_4", "10", "32")
    assert json.loads(about["std"]) == [0.2023, 0.1994, 0.2010]
    expected = expected_by("wrn16_4", str(output), None)
    assert expected.label == "cnnbench"
    options = {key.removeprefix("arch.options."): value for key, value in expected.keys.items() if ".options." in key}
    model = build("wrn16_4", 10, **options).eval()
    assert load_weights(model, output, classifier="keep") == []
    with torch.no_grad():
        torch.testing.assert_close(model(images), theirs, rtol=1e-4, atol=1e-4)


def test_without_a_network_the_names_stay(tmp_path, command):
    np.savez(tmp_path / "w.npz", **{"a.weight": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.ones(2)})
    done = command("convert", tmp_path / "w.npz", f"output={tmp_path}/w.safetensors")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        f"{tmp_path}/w.npz: 2 tensors under their own names -> {tmp_path}/w.safetensors, 0.0 MB"
    )
    written = load_file(tmp_path / "w.safetensors")
    assert written["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert written["b"].dtype == torch.float64
    assert metadata(tmp_path / "w.safetensors") == {"format": "pt"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "nothing to convert: give a file, as in `cnnbench convert FILE output=FILE.safetensors`"),
        (("w.pth",), "no file to write to: give output=FILE.safetensors"),
        (("w.pth", "output=w.pth"), "output=w.pth needs the ending .safetensors"),
        (("w.safetensors", "output=w.safetensors"), "output=w.safetensors is the file to read"),
        (("w.pth", "output=a.safetensors"), "weights=w.pth: there is no such file"),
        (("torchvision", "output=a.safetensors"), "weights=torchvision needs a network: give arch=NAME"),
        (("{here}/text", "weights_set=ema", "output=a.safetensors"), "weights_set= needs a network: give arch=NAME"),
        (("{here}/text", "num_classes=3", "output=a.safetensors"), "num_classes= needs a network: give arch=NAME"),
        (
            ("{here}/text", "output=a.safetensors"),
            "{here}/text cannot be read as weights: it is not a file of torch.save, safetensors, numpy, Keras or ONNX",
        ),
        (
            ("{here}/w.npy.zip", "output=/no/a.safetensors"),
            "output=/no/a.safetensors cannot be written: there is no folder /no; make it first",
        ),
    ],
)
def test_mistakes_are_a_sentence(tmp_path, command, words, sentence):
    (tmp_path / "text").write_text("conv1 0.3")
    np.savez(tmp_path / "w.npy.zip.npz", a=np.ones(2))
    (tmp_path / "w.npy.zip.npz").rename(tmp_path / "w.npy.zip")
    done = command("convert", *(word.format(here=tmp_path) for word in words))
    assert done.returncode == 2
    assert done.stderr == f"cnnbench: {sentence.format(here=tmp_path)}\n"
    assert not (tmp_path / "a.safetensors").exists()


def test_a_background_is_left_out(tmp_path, command):
    state = build("inception_v3", 1001, aux_heads=False).state_dict()
    torch.save({name: value.half() for name, value in state.items()}, tmp_path / "w.pth")
    done = command(
        "convert", tmp_path / "w.pth", "arch=inception_v3", "arch.options.aux_heads=false",
        f"output={tmp_path}/w.safetensors",
    )  # fmt: skip
    assert "dropped the background, first of the 1001 classes of its fc" in done.stdout
    assert len(load_file(tmp_path / "w.safetensors")["fc.bias"]) == 1000
