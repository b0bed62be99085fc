"""What publishers expect of images and networks: held against torchvision's own statements, and found from the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_weight

from cnnbench.archs.registry import build, names
from cnnbench.archs.weights import profiles as module
from cnnbench.archs.weights.profiles import named, of_file, profiles, profiles_of
from cnnbench.archs.weights.publisher import expected_by
from cnnbench.archs.weights.torchvision import published_weights
from cnnbench.runs import checkpoint

pytestmark = pytest.mark.slow

IMAGENET, HALF = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.5] * 3, [0.5] * 3)
TORCHVISIONS = [profile for profile in profiles() if profile.publisher == "torchvision"]
TIMM = json.loads((Path(__file__).parent / "timm_images.json").read_text())  # of timm 1.0.31, by its tags


def images(profile: module.Profile) -> tuple:
    keys = profile.keys
    size = keys["arch.image_size"]
    return size, round(size / keys["arch.crop_ratio"]), keys["arch.interpolation"], keys["arch.mean"], keys["arch.std"]


@pytest.mark.parametrize("profile", TORCHVISIONS, ids=lambda profile: profile.name)
def test_torchvisions_are_what_torchvision_states(profile):
    stated = get_weight(profile.name)
    transforms = stated.transforms()
    # Networks with transform_input normalise once more, to mean and deviation 0.5, which is not part of those here.
    mean, std = HALF if profile.arch in ("inception_v3", "googlenet_tv") else (transforms.mean, transforms.std)
    assert images(profile) == (
        transforms.crop_size[0], transforms.resize_size[0], transforms.interpolation.value, mean, std,
    )  # fmt: skip
    assert f"-{profile.sha256}." in stated.url
    errors = stated.meta["_metrics"]["ImageNet-1K"]
    assert profile.top1_err == pytest.approx(100 - errors["acc@1"])
    assert profile.top5_err == pytest.approx(100 - errors["acc@5"])


def test_there_is_one_for_each_of_torchvisions():
    assert {profile.name for profile in TORCHVISIONS} == {name for key in names() for name in published_weights(key)}


def test_timms_are_what_timm_states():
    ours = {profile.name: [*images(profile), profile.sha256] for profile in profiles() if profile.publisher == "timm"}
    assert ours == TIMM


def test_labels_tell_them_apart_and_switches_exist():
    assert len({(profile.arch, profile.label) for profile in profiles()}) == len(profiles())
    for profile in profiles():
        options = {key.removeprefix("arch.options."): v for key, v in profile.keys.items() if ".options." in key}
        with torch.device("meta"):
            build(profile.arch, **options)


def test_a_publisher_is_named_whole_or_alone_or_refused():
    assert named("resnet50", "timm:a1_in1k").keys["arch.interpolation"] == "bicubic"
    assert named("resnet20", "akamaster").top1_err == 8.27
    with pytest.raises(ValueError, match=r"has several files of resnet50: choose one of torchvision:IMAGENET1K_V1, "):
        named("resnet50", "torchvision")
    with pytest.raises(ValueError, match=r"no weights of resnet50, did you mean timm:a1h?_in1k.*; known of resnet50: "):
        named("resnet50", "timm:a1_in")
    with pytest.raises(ValueError, match=r"weights_from=x has no weights of lenet; none is known of lenet"):
        named("lenet", "x")


def test_a_published_file_is_known_by_its_checksum(tmp_path, monkeypatch):
    (tmp_path / "any name").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    table = module.TABLE.read_text().replace("\t11ad3fa6\t", f"\t{digest[:8]}\t", 1)
    (tmp_path / "table.tsv").write_text(table)
    monkeypatch.setattr(module, "TABLE", tmp_path / "table.tsv")
    profiles.cache_clear()
    try:
        assert of_file("resnet50", tmp_path / "any name").label == "torchvision:IMAGENET1K_V2"
        assert of_file("resnet101", tmp_path / "any name") is None
        (tmp_path / "any name").write_bytes(b"weightt")
        assert of_file("resnet50", tmp_path / "any name") is None
    finally:
        profiles.cache_clear()


def test_a_publisher_is_told_by_names_that_it_alone_has(tmp_path):
    state = {name.replace("fc.", "linear."): value for name, value in build("resnet20", 10).state_dict().items()}
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "w.th")
    assert expected_by("resnet20", str(tmp_path / "w.th"), None).label == "akamaster"
    torch.save(build("resnet20", 10).state_dict(), tmp_path / "w.th")
    assert expected_by("resnet20", str(tmp_path / "w.th"), None) is None
    assert expected_by("resnet20", str(tmp_path / "w.th"), "akamaster").keys["arch.mean"] == IMAGENET[0]
    with pytest.raises(ValueError, match="weights_from=me has no weights of resnet20"):
        expected_by("resnet20", str(tmp_path / "w.th"), "me")


def test_a_network_of_other_widths_is_told_by_its_publishers_form(tmp_path):
    own = {"conv1": "conv2d0", "conv2": "conv2d1", "conv3": "conv2d2"}
    layers = {
        "branch1": "1x1", "branch2.0": "3x3_bottleneck", "branch2.1": "3x3", "branch3.0": "5x5_bottleneck",
        "branch3.1": "5x5", "branch4.1": "pool_reduce",
    }  # fmt: skip
    theirs = {}
    options = named("googlenet", "lucent").options
    for name, value in build("googlenet", 1008, **options).state_dict().items():
        layer, _, part = name.rpartition(".")
        block, _, branch = layer.removesuffix(".conv").partition(".")
        inner = own.get(block) or f"mixed{block.removeprefix('inception')}_{layers.get(branch)}"
        other = "softmax2_pre_activation_matmul" if block == "fc" else f"{inner}_pre_relu_conv"
        theirs[f"{other}.{part}"] = value.half()
    assert theirs["mixed4e_5x5_pre_relu_conv.weight"].shape == (128, 32, 5, 5)
    torch.save(theirs, tmp_path / "w.pth")
    found = expected_by("googlenet", str(tmp_path / "w.pth"), None)
    assert found.label == "lucent"
    assert found.keys["arch.mean"] == [117 / 255] * 3
    assert found.keys["arch.options.modules"] == "inception5h"


def test_a_file_of_ours_states_what_it_expects(tmp_path):
    state = build("lenet", 10).state_dict()
    arch = {
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "crop_ratio": 0.9,
        "options": {"a": 1},
        "name": "lenet",
        "dropout": 0.1,
    }
    checkpoint.save(tmp_path, {"model": state, "arch": "lenet", "config": {"arch": arch, "image_size": 28}})
    found = expected_by("lenet", str(tmp_path / "last.pt"), None)
    assert found.label == "cnnbench"
    assert found.keys == {
        "arch.image_size": 28, "arch.crop_ratio": 0.9, "arch.mean": [0.5] * 3, "arch.std": [0.25] * 3,
        "arch.options.a": 1,
    }  # fmt: skip
    about = {"arch": "lenet", "mean": "[0.5]", "std": "[0.25]", "options": "{}", "interpolation": "bicubic"}
    save_file(state, tmp_path / "a.safetensors", about)
    assert expected_by("lenet", str(tmp_path / "a.safetensors"), None).keys == {
        "arch.mean": [0.5] * 3, "arch.std": [0.25] * 3, "arch.interpolation": "bicubic",
    }  # fmt: skip


@pytest.mark.parametrize("config", [None, "a.yaml", {}, {"arch": None}, {"arch": {"mean": [], "std": [None] * 3}}])
def test_what_a_file_of_ours_does_not_state_is_left_alone(tmp_path, config):
    checkpoint.save(tmp_path, {"model": build("lenet", 10).state_dict(), "arch": "lenet", "config": config})
    assert expected_by("lenet", str(tmp_path / "last.pt"), None).keys == {}
    for text in ("x", "[]", "{}", "null", '["a"]', "-1", "2.5"):
        about = {
            "arch": "lenet",
            "options": "{}",
            **dict.fromkeys(("mean", "std", "image_size", "interpolation", "crop_ratio"), text),
        }
        save_file(build("lenet", 10).state_dict(), tmp_path / "a.safetensors", about)
        assert expected_by("lenet", str(tmp_path / "a.safetensors"), None).keys == {}


def test_profiles_of_a_network_are_in_the_order_of_the_table():
    assert list(profiles_of("xception")) == ["timm:tf_in1k", "cadene", "keras"]
