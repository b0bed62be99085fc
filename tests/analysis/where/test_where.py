"""`cnnbench where`: its tables fit the counts, its files are there, and what it refuses."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from cnnbench.archs.registry import build
from cnnbench.data.layouts.ilsvrc import class_names

WORDS = ("where", "arch=lenet", "weights=w.pt", "device=cpu", "data.workers=0", "batch=64")


def test_calibration_and_groups(command, small, tmp_path):
    (tmp_path / "kinds").write_text("bag\tbag\nsandal\tworn\ntrouser\tworn\n")
    done = command(*WORDS, f"data={small}", "class_groups=kinds", "output=w.json", "plot=r.svg")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "w.json").read_text())
    assert {row["class group"]: row["images"] for row in content["groups"]["class group"]} == {"bag": 8, "worn": 15}
    assert sum(one["n"] for one in content["before"]["bins"]) == content["images"] == 11
    assert [row["colour"] for row in content["groups"]["colour"]] == ["grey"]
    evaluated = command("eval", *WORDS[1:], f"data={small}", "output=e.json")
    assert evaluated.returncode == 0
    wrong = json.loads((tmp_path / "e.json").read_text())["wrong_top1"]
    errors = content["groups"]["class group"]
    assert sum(row["images"] * row["top-1 error %"] / 100 for row in errors) == pytest.approx(wrong)
    assert "<svg" in (tmp_path / "r.svg").read_text()
    only = command(*WORDS, f"data={small}", "by=[class_group,size]", "format=json")
    assert [table["title"] for table in json.loads(only.stdout)][1:] == ["Error by size"]
    assert "class groups are known of ILSVRC's classes alone" in only.stderr


def test_ilsvrcs_classes_have_groups(command, tmp_path):
    for name in list(class_names())[:2] + list(class_names())[-1:]:
        (tmp_path / "data/val" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), (200, 10, 90)).save(tmp_path / f"data/val/{name}/1.jpg")
    torch.save(build("lenet", 1000).state_dict(), tmp_path / "w.pt")
    done = command(*WORDS, "data=data", "by=[class_group,quality]", "competing=present")
    assert done.returncode == 0, done.stderr
    assert "fish" in done.stdout
    assert "artefact" in done.stdout
    assert "quality 75 to 84" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["by=[colours]"], "by=colours is unknown, did you mean colour?"),
        (["plot=r.gif"], "plot=r.gif needs the ending .svg or .png or .pdf"),
        (["class_groups=none"], "class_groups=none: there is no such file"),
        (["class_groups=torn"], "class_groups=torn, line 1: it needs a class, a tab and its group"),
        (["class_groups=few"], "class_groups=few has no group for the class sandal"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(command, small, tmp_path, words, said):
    (tmp_path / "torn").write_text("bag worn\n")
    (tmp_path / "few").write_text("bag\tworn\n")
    done = command(*WORDS, f"data={small}", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
