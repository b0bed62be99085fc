"""`cnnbench features`: the values against plain hooks on images made by eval's transform, and the neighbours."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from cnnbench.analysis.features.files import feature_file
from cnnbench.analysis.features.neighbours import Neighbours
from cnnbench.archs.registry import build
from cnnbench.config.arch import ArchConfig
from cnnbench.data.decode.picture import from_pixels
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.transform import EvaluationTransform
from cnnbench.runtime.errors import UserError

NETWORK = ("arch=resnet20", "weights=w.pt", "device=cpu", "data.workers=0", "batch=5")
WORDS = (*NETWORK, "data=data", "output=f.safetensors")


def names_in(path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))[1:]


def test_values_order_and_names_of_a_whole_split(place, command):
    done = command("features", *WORDS, "layer=[layer3.0,avgpool,logits]", "split=train")
    assert done.returncode == 0, done.stderr
    assert "layer       layer3.0: layer3.0, 64x8x8 for each image" in done.stdout
    found = load_file(place / "f.safetensors")
    assert {name: value.shape for name, value in found.items()} == {
        "layer3.0": (61, 64, 8, 8),
        "avgpool": (61, 64),
        "logits": (61, 7),
    }
    rows = names_in(place / "f.safetensors.csv")
    assert [row[0] for row in rows] == [str(i) for i in range(61)]
    files = sorted((place / "data/train").glob("*/*"))
    assert [row[1] for row in rows] == [f"{file.parent.name}/{file.name}" for file in files]
    assert [row[2] for row in rows] == [file.parent.name for file in files]
    network = build("resnet20", 7).eval()
    network.load_state_dict(torch.load(place / "w.pt"))
    kept = {}
    network.layer3[0].register_forward_hook(lambda m, i, o: kept.update(block=o.clone()))
    network.fc.register_forward_pre_hook(lambda m, i: kept.update(pooled=i[0].clone()))
    for row in (0, 33, 60):
        with torch.no_grad():
            logits = network(as_eval_makes_it(files[row]))
        for name, value in (("layer3.0", kept["block"]), ("avgpool", kept["pooled"]), ("logits", logits)):
            np.testing.assert_allclose(found[name][row], value[0], rtol=1e-4, atol=1e-5)


def as_eval_makes_it(file) -> torch.Tensor:
    """By the transform of the whole picture, without the loader: conf/arch/resnet20.yaml's images."""
    arch = ArchConfig(
        name="resnet20",
        crop_ratio=1.0,
        interpolation="bilinear",
        mean=[0.4914, 0.4822, 0.4465],
        std=[0.2470, 0.2435, 0.2616],
    )
    pixels, slot = np.asarray(Image.open(file).convert("RGB")), np.empty((32, 32, 3), np.uint8)
    EvaluationTransform(arch, 32)(from_pixels(pixels), 0, 0, slot, np.empty(0))
    batch = Batch(torch.from_numpy(slot)[None], torch.zeros(1), torch.zeros(1, 0))
    return Normalise(arch, torch.device("cpu"), False)(batch)


def test_one_layer_is_memory_mapped_and_averaged(place, command):
    first = command("features", *WORDS, "layer=layer2")
    assert first.returncode == 0, first.stderr
    words = [*NETWORK, "data=data", "output=f.npy", "layer=layer2", "pool=average"]
    done = command("features", *words)
    assert done.returncode == 0, done.stderr
    averaged = np.load(place / "f.npy", mmap_mode="r")
    whole = load_file(place / "f.safetensors")["layer2"]
    every = command("features", *WORDS, "layer=all", "pool=average")
    assert every.returncode == 0, every.stderr
    named = load_file(place / "f.safetensors")
    assert list(named) == ["conv2_x", "conv3_x", "conv4_x", "pre_logits", "logits"]
    np.testing.assert_allclose(named["conv3_x"], averaged, rtol=1e-5, atol=1e-6)
    assert averaged.shape == (23, 32)
    np.testing.assert_allclose(averaged, whole.mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_a_broken_image_keeps_its_row(place, command):
    broken = sorted((place / "data/val/bag").iterdir())[1]
    broken.write_text("text")
    done = command("features", *NETWORK, "data=data", "output=f.npy", "layer=pre_logits")
    assert done.returncode == 0, done.stderr
    values = np.load(place / "f.npy")
    assert np.flatnonzero(np.isnan(values).all(1)).tolist() == np.flatnonzero(np.isnan(values).any(1)).tolist() == [1]
    row = names_in(place / "f.npy.csv")[1]
    assert row[:3] == ["1", f"bag/{broken.name}", "bag"]
    assert row[3].endswith("is not an image")
    assert "left out    1 images" in done.stdout


def test_the_nearest_neighbour_of_an_image_is_itself(place, command):
    picture = sorted((place / "data/val/sandal").iterdir())[2]
    picture = picture.relative_to(place)  # short enough for the table
    words = ("layer=avgpool", f"query=[{picture}]", "neighbours=3", "sheet=s.png", "data=data")
    done = command("features", *NETWORK, *words)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.lstrip().startswith((str(picture), "2 ", "3 "))]
    assert len(rows) == 3
    assert rows[0][-2:] == [f"sandal/{picture.name}", "sandal"]
    assert [float(row[-3]) for row in rows] == sorted(float(row[-3]) for row in rows)
    assert float(rows[0][-3]) < 1e-4 < float(rows[1][-3])
    with Image.open(place / "s.png") as sheet:
        assert sheet.width > 4 * 144
    assert not list(place.glob("*.npy"))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_neighbours_in_parts_are_those_of_the_whole(distance):
    draw = np.random.default_rng(1)
    features, queries = draw.normal(size=(50, 6)).astype(np.float32), draw.normal(size=(3, 6)).astype(np.float32)
    features[7] = np.nan
    features[30] = features[20]
    found = Neighbours(queries, 5, distance)
    for start in range(0, 50, 8):
        found.look(start, features[start : start + 8])
    for query, nearest in zip(queries, found.found, strict=True):
        slow = []
        for i, each in enumerate(features.astype(float)):
            if distance == "euclidean":
                length = sum((a - b) ** 2 for a, b in zip(each, query, strict=True)) ** 0.5
            else:
                length = 1 - sum(each * query) / (sum(each**2) * sum(query.astype(float) ** 2)) ** 0.5
            slow.append((length, i))
        expected = sorted(pair for pair in slow if not np.isnan(pair[0]))[:5]
        assert [i for _, i in nearest] == [i for _, i in expected]
        assert [length for length, _ in nearest] == pytest.approx([length for length, _ in expected])


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "f.npy").write_text("before")
    with pytest.raises(RuntimeError), feature_file(tmp_path / "f.npy", {"a": (3,)}, 4):
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ["f.npy"]
    assert (tmp_path / "f.npy").read_text() == "before"
    with (
        pytest.raises(UserError, match="make room, use pool=average"),
        feature_file(tmp_path / "f.npy", {"a": (10**9,)}, 10**9),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("layer=layer4", "output=f.npy"), "the network has no layer 'layer4', did you mean layer3"),
        (("layer=avgpool",), "nothing to do with the features: give output=FILE.npy"),
        (("output=f.npy",), "no layer is given"),
        (("layer=avgpool", "output=f.txt"), "needs the ending .npy or .safetensors"),
        (("layer=[avgpool,fc]", "output=f.npy"), "holds one layer, and layer= names 2"),
        (("layer=[avgpool,fc]", "query=[w.pt]"), "measures distances in one layer"),
        (("layer=[fc,fc]", "output=f.safetensors"), "layer= names fc twice"),
        (("layer=fc", "query=[w.pt]"), "query: w.pt is not an image"),
        (("layer=fc", "query=[]", "sheet=s.png", "output=f.npy"), "sheet=s.png shows neighbours"),
        (("layer=fc", "output=none/f.npy"), "output=none/f.npy cannot be written: there is no folder"),
        (("layer=fc", "output=f.npy", "data/val"), "exclude each other"),
    ],
)
def test_bad_input_is_one_sentence(place, command, words, said):
    done = command("features", *NETWORK, "data=data", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_data_it_is_asked_for(place, command):
    done = command("features", *NETWORK, "layer=fc", "output=f.npy")
    assert (done.returncode, "data is missing" in done.stderr) == (2, True)
