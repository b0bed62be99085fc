"""Files of predictions: read back, brought onto the same images, refused with a sentence."""

from __future__ import annotations

import math

import pytest

from cnnbench.evaluation.answers import read_answers, same_images
from cnnbench.evaluation.seed_groups import by_seed
from cnnbench.runtime.errors import UserError


def write(path, *lines: str, head: str = "image,class,rank,class1,probability1"):
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_what_eval_writes_is_read(tmp_path):
    found = read_answers(
        write(tmp_path / "predictions.csv", "a/1.png,a,0,a,0.9", "b/2.png,b,3,a,0.5", "b/3.png,b,10,,")
    )
    assert found.wrong(1).tolist() == [False, True, True]
    assert found.wrong(5).tolist() == [False, False, True]
    assert (found.first, found.classes) == (["a", "a", ""], ["a", "b", "b"])
    assert math.isnan(found.probability[2])
    assert read_answers(tmp_path).images == found.images, "a folder of details is its predictions"


def test_a_file_of_others_needs_no_ranks(tmp_path):
    path = write(tmp_path / "p.csv", "1.png,a,a,b", "2.png,b,a,b", "3.png,c,a,b", head="image,class,class1,class2")
    assert read_answers(path).rank.tolist() == [0, 1, 5]


@pytest.mark.parametrize(
    ("head", "lines", "said"),
    [
        ("image,rank", ["1.png,0"], "is not a file of predictions: it needs the columns image, class and either rank"),
        ("image,class,rank", [], "is not a file of predictions"),
        ("image,class,rank", ["1.png,a,x"], "cannot be read, it is damaged"),
        ("image,class,rank", ["1.png,a,0", "1.png,a,1"], "has the image 1.png twice"),
    ],
)
def test_other_files_are_refused(tmp_path, head, lines, said):
    with pytest.raises(UserError, match=said):
        read_answers(write(tmp_path / "p.csv", *lines, head=head))


def test_images_are_matched_by_name_and_what_one_lacks_is_left_out(tmp_path):
    first = read_answers(write(tmp_path / "a.csv", "1,a,0,a,1", "2,b,1,a,1", "3,a,2,b,1"))
    second = read_answers(write(tmp_path / "b.csv", "3,a,0,a,1", "1,a,4,b,1"))
    found, notes = same_images([first, second], ["a", "b"])
    assert [one.images for one in found] == [["1", "3"], ["1", "3"]]
    assert [one.rank.tolist() for one in found] == [[0, 2], [4, 0]]
    assert notes == ["1 images that not all have are left out"]
    other = read_answers(write(tmp_path / "c.csv", "1,b,0,b,1"))
    with pytest.raises(UserError, match="the image 1 is of class a in a, and of b in c"):
        same_images([first, other], ["a", "c"])
    with pytest.raises(UserError, match="have no image in common"):
        same_images([first, read_answers(write(tmp_path / "d.csv", "9,b,0,b,1"))], ["a", "d"])


def test_runs_that_differ_in_their_seed_alone_are_a_group():
    from composing import composed

    configs = [composed("recipe=quick", *words) for words in (["seed=0"], ["epochs=3"], ["seed=1", "device=cpu"])]
    assert by_seed([*configs, None, None]) == [[0, 2], [1], [3], [4]]
    assert by_seed([configs[0], configs[0]]) == [[0], [1]], "the same seed twice is no second training"
