"""`cnnbench predict`: the same answers as `cnnbench eval`, and what it says of odd files."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil

import pytest
import torch
from PIL import Image

from cnnbench.archs.registry import build

WORDS = ("arch=lenet", "weights=w.pt", "device=cpu", "data.workers=0")


@pytest.fixture
def place(tmp_path, small_data):
    """A folder with a network of three classes, and pictures of different kinds below pics/."""
    torch.manual_seed(3)
    torch.save(build("lenet", 3).state_dict(), tmp_path / "w.pt")
    (tmp_path / "classes").write_text("bag\nsandal\ntrouser\n")
    for i, file in enumerate(sorted((small_data / "val").glob("*/*"))[::4]):
        (tmp_path / f"pics/{i % 2}").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / f"pics/{i % 2}")
    return tmp_path


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("protocol", ["center", "ten_crop"])
def test_the_answers_are_those_of_eval(place, command, small_data, protocol):
    data = (f"data={small_data}", "data.classes=classes", "details=details")
    evaluated = command("eval", *WORDS, *data, f"protocol={protocol}", "batch=7")
    assert evaluated.returncode == 0, evaluated.stderr
    words = (f"protocol={protocol}", "data.classes=classes", "output=a.csv", "batch=5")
    done = command("predict", *WORDS, *words, small_data / "val")
    assert done.returncode == 0, done.stderr
    header, *expected = rows_of((place / "details/predictions.csv").read_text())
    assert header[3:] == [f"{what}{k}" for k in (1, 2, 3) for what in ("class", "probability")]
    _, *found = rows_of((place / "a.csv").read_text())
    assert len(found) == len(expected) == 23
    for theirs, ours in zip(expected, found, strict=True):
        assert ours[0] == str(small_data / "val" / theirs[0])
        assert [*ours[2::3], *ours[4::3]] == [*theirs[3::2], *theirs[4::2]]
    assert len({row[2] for row in found}) > 1, "a network that has one answer for all would prove nothing"


def test_a_run_has_its_own_classes_and_settings(tmp_path, command, small_data):
    trained = command("train", "arch=lenet", "recipe=quick", f"data={small_data}", "epochs=1", "batch=20", "run=r")
    assert trained.returncode == 0, trained.stderr
    picture = sorted((small_data / "val/bag").iterdir())[0]
    done = command("predict", "run=r", picture, "device=cpu", "format=jsonl", "data.workers=0", "top=2")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    content = json.loads(line)
    assert content["picture"] == str(picture)
    assert {answer["class"] for answer in content["answers"]} < {"bag", "sandal", "trouser"}
    assert content["answers"][0]["probability"] >= content["answers"][1]["probability"]
    assert "files       1 image used" in done.stderr


def test_odd_files_are_named_and_the_others_answered(place, command):
    (place / "pics/bad.png").write_text("text")
    (place / "pics/notes.txt").write_text("text")
    cut = (place / "pics/cut.jpg").open("wb")
    picture = io.BytesIO()
    Image.new("RGB", (60, 40), (9, 99, 199)).save(picture, "jpeg")
    cut.write(picture.getvalue()[:300])
    cut.close()
    Image.new("CMYK", (40, 60)).save(place / "pics/ink.jpg")
    odd = os.fsencode(place / "pics") + b"/caf\xe9 =x.png"
    Image.new("L", (9, 9)).save(picture := io.BytesIO(), "png")
    with open(odd, "wb") as file:
        file.write(picture.getvalue())
    done = command("predict", *WORDS, "pics", "sheet=s.png")
    assert done.returncode == 0, done.stderr
    assert "files       10 images used, left out: endings not taken 1 (.txt)" in done.stdout
    bad, cut = done.stderr.splitlines()
    assert bad == "left out: pics/bad.png is not an image"
    assert cut.startswith("left out: pics/cut.jpg cannot be decoded")
    assert "caf\u00e9 =x.png" in done.stdout
    assert "ink.jpg" in done.stdout
    with Image.open(place / "s.png") as sheet:
        assert sheet.width > sheet.height > 176


def test_a_sheet_shows_the_picture(place, command):
    Image.new("RGB", (50, 50), (250, 10, 20)).save(place / "shade=red, 1.png")
    done = command("predict", *WORDS, "shade=red, 1.png", "sheet=s.png", "format=csv")
    assert done.returncode == 0, done.stderr
    assert [row[0] for row in rows_of(done.stdout)][1:] == ["shade=red, 1.png"]
    with Image.open(place / "s.png") as sheet:
        assert (250, 10, 20) in {color for _, color in sheet.getcolors(1 << 20)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*WORDS, "empty"), "empty has no pictures in it or below it"),
        ((*WORDS, "nowhere"), "there is no picture or folder nowhere"),
        ((*WORDS, "pic"), "there is no picture or folder pic, did you mean pics?"),
        ((*WORDS, "classes"), "classes is not an image"),
        ((*WORDS, "/dev/null"), "/dev/null is neither a picture nor a folder"),
        (WORDS, "no pictures are given"),
        ((*WORDS, "pics", "data=sample"), "data=sample is for data sets with classes"),
        ((*WORDS, "pics", "output=a.txt"), "output=a.txt needs the ending .csv or .jsonl"),
        ((*WORDS, "pics", "sheet=a.gif"), "sheet=a.gif needs the ending .png"),
        ((*WORDS, "pics", "top=6"), "top=6 is out of range"),
        ((*WORDS, "pics", "data.classes=two"), "names 2 classes, and the weights are for 3"),
        (("pics",), "nothing to predict with: give run=NAME, or arch=NETWORK weights=FILE"),
        (("pics", "run=none"), "there is no run in runs/none"),
        (("pics", "run=r", "arch=lenet"), "exclude each other"),
    ],
)
def test_bad_input_is_one_sentence(place, command, words, said):
    (place / "empty").mkdir()
    (place / "two").write_text("a\nb\n")
    done = command("predict", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_weights_that_are_not_numbers(place, command):
    weights = torch.load(place / "w.pt")
    weights["output.bias"][:] = 1e38
    weights["output.weight"][:] = 3e38
    torch.save(weights, place / "w.pt")
    done = command("predict", *WORDS, "pics/0")
    assert done.returncode == 0
    assert "the network's outputs are not numbers" in done.stderr


def test_nothing_but_answers_is_on_standard_output(place, command):
    """What loading says of a file, here one from before torch 0.4.1, is for people."""
    weights = {name: value for name, value in build("resnet20", 3).state_dict().items() if "num_batches" not in name}
    torch.save(weights, place / "old.pt")
    picture = next((place / "pics").glob("*/*"))
    done = command("predict", "arch=resnet20", "weights=old.pt", str(picture), "format=jsonl", "data.workers=0")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["picture"] for line in done.stdout.splitlines()] == [str(picture)]
    assert "have no num_batches_tracked" in done.stderr
