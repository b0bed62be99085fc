"""Label files and lists of images to leave out, against splits of a few names; what does not fit is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from cnnbench.data.layouts.ilsvrc import class_names
from cnnbench.data.layouts.relabel import exclude, relabel
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError

WNIDS = tuple(class_names())


@dataclass(frozen=True)
class Named:
    names: tuple[str, ...]
    form: str = "files"

    def __len__(self) -> int:
        return len(self.names)

    def name(self, number: int) -> str:
        return self.names[number]

    def path(self, number: int) -> str:
        return self.names[number]


def split_of(names: list[str], classes: tuple[str, ...] = ("cat", "dog")) -> Split:
    return Split(classes, np.zeros(len(names), np.int64), np.arange(len(names)), Named(tuple(names)))


PETS = split_of(["val/cat/1.png", "val/dog/1.png", "val/dog/2.png"])
# Numbers 2, 3, 1 and 5 of the validation images, in no order.
ILSVRC = split_of([f"val/{WNIDS[0]}/ILSVRC2012_val_0000000{number}.JPEG" for number in (2, 3, 1, 5)], WNIDS)


@pytest.fixture
def file(tmp_path):
    def write(content: object) -> str:
        path = tmp_path / "file"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_images_are_left_out_by_name(file):
    left = exclude(PETS, file("dog/1.png\n2.png\nnot/here.png\n"))
    assert left.numbers.tolist() == [0]
    assert left.name(0) == PETS.name(0)


def test_images_are_left_out_by_validation_number(file):
    """As the official blacklist, from 1; numbers of images that a part of the set has not do not matter."""
    assert exclude(ILSVRC, file("5\n2\n50000\n")).numbers.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("split", "content", "sentence"),
    [
        (PETS, "7\n", "the name of cat/1.png has none"),
        (PETS, "cow/1.png", "names none of the 3 images, the first of which is cat/1.png"),
        (PETS, "", "names none"),
        (PETS, "1.png", "'1.png' could be cat/1.png or dog/1.png: write CLASS/FILE"),
        (ILSVRC, "1\n2\n3\n5", "leaves no image of 4"),
    ],
)
def test_lists_that_do_not_fit_are_refused(file, split, content, sentence):
    with pytest.raises(UserError, match="exclude=") as refusal:
        exclude(split, file(content))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        "cat/1.png dog\ndog/1.png 2\n2.png cow\n",
        "cat/1.png,1\n\ndog/1.png,cow\n2.png,2\n",
        {"cat/1.png": 1, "dog/1.png": "cow", "2.png": "2", "more.png": 0},
    ],
)
def test_labels_by_name(file, content):
    split, targets = relabel(PETS, file(content), ("cat", "dog", "cow"))
    assert targets.tolist() == [[1], [2], [2]]
    assert split.labels.tolist() == [1, 2, 2]
    assert split.classes == ("cat", "dog", "cow")


def test_imagenet_real(file):
    """Entry k - 1 is that of validation image k; an image without a label is left out."""
    real = [[7], [1, 2, 3], [], [9], [999, 4]]
    split, targets = relabel(ILSVRC, file(real), WNIDS)
    assert split.numbers.tolist() == [0, 2, 3]
    assert targets.tolist() == [[1, 2, 3], [7, 7, 7], [999, 4, 999]]
    assert split.labels.tolist() == [1, 7, 999]
    few = (WNIDS[4], WNIDS[2], WNIDS[1])
    split, targets = relabel(ILSVRC, file(real), few)
    assert (split.numbers.tolist(), targets.tolist()) == ([0, 3], [[2, 1], [0, 0]])


@pytest.mark.parametrize(
    ("split", "content", "sentence"),
    [
        (PETS, "cat/1.png 0\n", "does not cover the images: it has no label for 2 of 3, the first dog/1.png"),
        (
            PETS,
            "cat/1.png 0\ndog/1.png 0\n2.png dgo\n",
            "the class 'dgo', which is neither one of the network's 2, did",
        ),
        (PETS, "cat/1.png 0\ndog/1.png 0\n2.png 2\n", "the class '2'"),
        (PETS, "cat/1.png\n", "line 1: 'cat/1.png' is not an image's name and its class"),
        (PETS, "{", "is not JSON"),
        (PETS, [[0], [1]], "is for the classes of ILSVRC"),
        (ILSVRC, [[0], [1]], "does not cover the images: it has 2 entries, none for image 3"),
        (ILSVRC, [[0], [1], [2], [3], [1000]], "not a list of lists of class numbers below 1000"),
        (ILSVRC, [[0], [1], [-1], [3], [4]], "a negative number"),
        (ILSVRC, [0, 1, 2, 3, 4], "not a list of lists"),
        (ILSVRC, [[], [], [], [], []], "has no label for any of the 4 images"),
    ],
)
def test_labels_that_do_not_fit_are_refused(file, split, content, sentence):
    with pytest.raises(UserError, match="labels=") as refusal:
        relabel(split, file(content), split.classes)
    assert sentence in str(refusal.value)
