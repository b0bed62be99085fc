"""The command: its page and files, and what it says of what cannot be."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import small_network

from cnnbench.config.look import PICTURES

FILES = (
    *("answer", "filters", "activations", "receptive-field", "occlusion", "deconvolution", "top-images", "grad-cam"),
    *("units", "gradients", "landscape"),
)
FEW = ("images=10", "batch=5", "data.workers=0", "device=cpu")
QUICK = (*FEW, "points=3", "landscape_images=2", "stride=9")


SAID = (
    *("10 of the 23 of the split val", "Right: its 3 most probable classes", "16 of the 16 maps of conv2"),
    *("root mean square over 10 images of the split", "For 6 channels of conv2", "the 9 of 10 images of the split"),
    *(
        "for the class asked for and the 2 most probable others",
        "of 2 images of the split",
        "Of the mean cross-entropy",
    ),
)


@pytest.fixture
def picture(small_data, tmp_path) -> Path:
    path = tmp_path / "bag.png"
    path.write_bytes(next((small_data / "val" / "bag").iterdir()).read_bytes())
    return path


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "lenet.pth"
    torch.save(small_network("lenet", 3).model.state_dict(), path)
    return path


def test_one_page_and_a_file_for_each_picture(command, small_data, picture, weights, tmp_path):
    done = command("look", "arch=lenet", f"weights={weights}", f"data={small_data}", f"image={picture}", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "class_activation left out: class_activation needs a network that averages" in done.stdout
    folder = tmp_path / "look/pictures"
    for name in FILES:
        assert f"look/pictures/{name}.png" in done.stdout
        with Image.open(folder / f"{name}.png") as image:
            levels = np.asarray(image.convert("L"))
        assert levels.shape[1] > 600
        assert levels.std() > 5  # not an empty sheet
        text = (folder / f"{name}.svg").read_text()
        assert "<svg" in text
        assert not re.search(r'(?:href|src)="https?:', text)
    assert sorted(path.name for path in folder.glob("*.csv")) == ["gradients.csv", "landscape.csv", "units.csv"]
    page = (tmp_path / "look/look.html").read_text()
    assert page.count("<img ") == len(FILES)
    assert not re.search(r'<script|(?:src|href)="(?!data:|#)', page)
    assert "conv2 (16 x 10 x 10), in it channel" in page
    for words in SAID:
        assert words in page
    with (folder / "landscape.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["direction 1"], row["direction 2"]) for row in rows[:4]] == [
        *(("-1.0", "-1.0"), ("0.0", "-1.0"), ("1.0", "-1.0"), ("-1.0", "0.0")),
    ]
    assert [row["layer"] for row in csv.DictReader((folder / "units.csv").open())] == ["conv1", "conv2", "fc3", "fc4"]
    rows = list(csv.DictReader((folder / "gradients.csv").open()))
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc3", "fc4", "fc5"]
    assert [row["weights"] for row in rows] == ["c1", "c3", "c5", "f6", "output"]


def test_a_run_brings_its_classes_and_its_data(command, small_data, picture, tmp_path):
    done = command("train", "recipe=quick", "epochs=1", f"data={small_data}", "run=one", "data.workers=0", "batch=20")
    assert done.returncode == 0, done.stderr
    words = ("look", "run=one", f"image={picture}", "layer=conv1", "unit=5", "output=seen", *FEW)
    done = command(*words, "pictures=[grad_cam,filters]", "target=trouser")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "seen/look.html").read_text()
    assert page.index("Filters of conv1") < page.index("Grad-CAM of conv1")
    assert "conv1 (6 x 28 x 28), in it channel 5" in page
    assert "ask for the class trouser" in page
    assert page.count("<img ") == 3


WRONG = {
    "layer=conv9": "the network has no layer 'conv9', did you mean conv",
    "layer=fc3 pictures=[receptive_field]": "receptive_field needs a layer with maps, and fc3 gives 120: the last",
    "layer=fc3 pictures=[filters]": "layer=fc3 has no filters: choose a convolution, as c1",
    "unit=16": "unit=16 is out of range: conv2 has 16 channels, from 0 on",
    "unit=-1": "unit=-1 is out of range: it must be at least 0",
    "patch=33": "patch=33 is out of range: it must be at most 32, the side of the image",
    "patch=0": "patch=0 is out of range: it must be at least 1",
    "stride=0": "stride=0 is out of range: it must be at least 1",
    "points=2": "points=2 is out of range: it must be at least 3",
    "reach=0": "reach=0.0 is out of range: it must be above 0",
    "seed=18446744073709551615": "seed=18446744073709551615 is out of range: it must be at least 0 and at most 184467",
    "target=bags": "target=bags is not a class, did you mean bag?; give a name, or a number from 0 to 2",
    "weights=[lenet.pth,lenet.pth]": "look takes one network, and weights= names several: give one file",
    "precision=bf16": "precision=bf16 is not what look computes in: leave it out, for float32",
    "target=3": "target=3 is not a class; give a name, or a number from 0 to 2",
    "pictures=[class_activation]": "class_activation needs a network that averages its last map right before",
    "pictures=[filtres]": "pictures=filtres is unknown, did you mean filters?",
    "image_size=20": "image_size=20 is too small for lenet: it needs at least 32 pixels",
    "image=none.png": "image=none.png: there is no such file",
    "image=empty": "image=empty is a folder: give the file in it",
    "image=text.png": "text.png is not an image",
    "data=empty": "empty",
    "output=bag.png": "output=bag.png is a file: give output=FOLDER",
}


@pytest.mark.parametrize("words", list(WRONG))
def test_what_cannot_be_is_said_in_one_sentence(words, command, small_data, picture, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    given = [f"weights={weights}", f"data={small_data}", f"image={picture}"]
    keys = [word.partition("=")[0] for word in words.split()]
    given = [word for word in given if word.partition("=")[0] not in keys]
    done = command("look", "arch=lenet", *given, *FEW, *words.split())
    assert done.returncode == 2
    said = done.stderr.strip().splitlines()
    assert len(said) == 1
    assert WRONG[words] in said[0]
    assert not (tmp_path / "look").exists()


def test_nothing_given_is_said(command, picture):
    assert "nothing to look at: give run=NAME" in command("look", f"image={picture}").stderr
    assert "image is missing: give image=FILE" in command("look", "run=one").stderr


def test_every_picture_has_its_function():
    from cnnbench.analysis.look.pictures import DRAWINGS

    assert list(DRAWINGS) == list(PICTURES)
