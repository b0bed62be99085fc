"""`cnnbench corruptions`: the table, the counts, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from cnnbench.archs.registry import build
from cnnbench.data.layouts.ilsvrc import class_names

WORDS = ("corruptions", "arch=lenet", "weights=w.pt", "device=cpu", "data.workers=0", "batch=64")


def test_errors_by_corruption_and_severity(command, small, tmp_path):
    done = command(*WORDS, f"data={small}", "corruptions=[fog,pixelate]", "severities=[5,1]", "output=c.json")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "c.json").read_text())
    assert [(one["corruption"], one["severity"]) for one in content["counts"]] == [
        *[("none", 0), ("fog", 1), ("fog", 5), ("pixelate", 1), ("pixelate", 5)]
    ]
    fog = [100 * one["wrong_top1"] / one["n"] for one in content["counts"] if one["corruption"] == "fog"]
    assert content["mean_errors"]["fog"] == pytest.approx(sum(fog) / 2)
    assert "CE" not in done.stdout, "AlexNet's errors are of other classes"
    assert "The severities were chosen for 224 pixels a side; at 32 they are others." in done.stdout
    again = command(*WORDS, f"data={small}", "corruptions=[fog]", "severities=[1]", "images=7", "format=csv")
    assert "on 7 images" in command(*WORDS, f"data={small}", "corruptions=[fog]", "severities=[1]", "images=7").stdout
    assert again.stdout.splitlines()[0] == "corruption,kind,severity 1,mean"


def test_alexnet_is_100_percent_of_ilsvrcs_classes_and_frost_needs_pictures(command, tmp_path):
    for name in list(class_names())[:2]:
        (tmp_path / "data/val" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), (200, 10, 90)).save(tmp_path / f"data/val/{name}/1.png")
    torch.save(build("lenet", 1000).state_dict(), tmp_path / "w.pt")
    done = command(*WORDS, "data=data", "severities=[1]", "format=json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert len(table["rows"]) == 15, "14 and their mean"
    assert any(note.startswith("frost is left out") for note in table["notes"])
    first = table["rows"][0]
    assert first["CE"] == pytest.approx(100 * first["mean"] / 88.6428)
    (tmp_path / "frost").mkdir()
    missing = command(*WORDS, "data=data", "frost=frost")
    assert "frost=frost has no frost1.png or .jpg" in missing.stderr
    for number in range(1, 6):
        Image.fromarray(np.full((64, 64, 3), 40 * number, np.uint8)).save(tmp_path / f"frost/frost{number}.png")
    whole = command(*WORDS, "data=data", "frost=frost", "corruptions=[frost]", "severities=[2]")
    assert (whole.returncode, "frost " in whole.stdout) == (0, True), whole.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["corruptions=[fogg]"], "corruptions=fogg is unknown, did you mean fog"),
        (["corruptions=[frost]"], "frost needs pictures of it: give frost=FOLDER"),
        (["corruptions=[fog,fog]"], "corruptions= names one twice"),
        (["severities=[6]"], "out of range"),
        (["frost=nothing"], "frost=nothing is not a folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(command, small, words, said):
    done = command(*WORDS, f"data={small}", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
