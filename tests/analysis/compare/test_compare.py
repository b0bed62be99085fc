"""`cnnbench compare`, from files and from runs: its figures, its sentences, its sheet and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from PIL import Image

TRAIN = ("recipe=quick", "epochs=1", "device=cpu", "data.workers=0", "batch=16")


def predictions(path, wrong: set[int], n: int = 200, rank: int = 1):
    """A file in which these images of `n` are wrong."""
    lines = [f"a/{i}.png,a,{rank if i in wrong else 0},{'b' if i in wrong else 'a'},0.{90 - i % 10}" for i in range(n)]
    path.write_text("\n".join(["image,class,rank,class1,probability1", *lines]) + "\n")
    return path


def test_two_files_of_predictions(command, tmp_path):
    predictions(tmp_path / "a.csv", set(range(30)))
    predictions(tmp_path / "b.csv", {*range(27), *range(100, 112)})
    done = command("compare", "a.csv", "b.csv", "output=c.json")
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.split())
    assert "a.csv is better than b.csv by 4.50 points of top-1 error" in flat
    assert "15.00 % against 19.50 % of 200 images, p = 0.035 (McNemar, exact); of one training each" in flat
    assert "3 images are wrong in a.csv alone - 12 images are wrong in b.csv alone" in flat
    content = json.loads((tmp_path / "c.json").read_text())
    first = content["comparisons"][0]
    assert (first["only_first"], first["only_second"], first["p"]) == (3, 12, 0.03515625)
    assert first["low"] < first["difference"] < first["high"]
    rows = list(csv.reader(io.StringIO(command("compare", "a.csv", "b.csv", "format=csv", "classes=0").stdout)))
    assert rows[0] == ["verdict"]


def test_what_is_not_shown_is_said_with_what_would_be(command, tmp_path):
    predictions(tmp_path / "a.csv", set(range(30)))
    predictions(tmp_path / "b.csv", {*range(26), *range(100, 106)})
    flat = " ".join(command("compare", "a.csv", "b.csv").stdout.split())
    assert "No difference between a.csv and b.csv is shown: 15.00 % against 16.00 % of 200 images, 1.00 points" in flat
    assert "p = 0.75 (McNemar, exact); one below 4.65 points would mostly go unseen here" in flat


def test_groups_of_files_and_corrected_comparisons(command, tmp_path):
    for seed, wrong in enumerate((30, 33, 31)):
        predictions(tmp_path / f"a{seed}.csv", set(range(wrong)))
        predictions(tmp_path / f"b{seed}.csv", set(range(wrong + 14)))
        predictions(tmp_path / f"c{seed}.csv", set(range(wrong + 15)))
    words = ["a0.csv+a1.csv+a2.csv", "b0.csv+b1.csv+b2.csv", "c0.csv+c1.csv+c2.csv"]
    done = command("compare", *words, "difference=0.3", "format=markdown")
    assert done.returncode == 0, done.stderr
    assert "corrected for 3 comparisons (t over seeds and images); 3 and 3 trainings" in done.stdout
    assert "No difference between b (3) and c (3) is shown" in done.stdout
    assert (
        "seeds vary by a standard deviation of 0.76 points, so that a difference of 0.30 takes 103 trainings"
        in done.stdout
    )
    against = command("compare", *words, "against=c0.csv", "format=csv").stdout
    assert against.count("t over seeds and images") == 2 + 2 + 2, "of each top two pairs, and two verdicts"


def test_counts_alone_and_a_given_figure(command, tmp_path):
    result = {"wrong_top1": 240, "wrong_top5": 60, "n": 1000, "protocol": "center"}
    (tmp_path / "a.json").write_text(json.dumps(result))
    (tmp_path / "b.json").write_text(json.dumps(result | {"wrong_top1": 300}))
    flat = " ".join(command("compare", "a.json", "b.json", "published=20").stdout.split())
    # statsmodels 0.15.0: confint_proportions_2indep(240, 1000, 300, 1000, method="newcomb"), the z test of proportions
    assert "a.json is better than b.json by 6.00 points of top-1 error, 95 % interval 2.11 to 9.87" in flat
    assert "p = 0.0025 (counts, unpaired)" in flat
    assert "a.json is 4.00 points above the published 20.00 % (given), which is not explained by chance" in flat
    predictions(tmp_path / "c.csv", set(range(43)))
    alone = command("compare", "c.csv", "published=20").stdout
    assert "c.csv is 1.50 points above the published 20.00 % (given), which is normal" in " ".join(alone.split())


def test_runs_are_evaluated_once_grouped_by_seed_and_drawn(command, small_data, tmp_path):
    for name, words in {"s0": ["seed=0"], "s1": ["seed=1"], "w": ["optimizer.lr=0.3"]}.items():
        done = command("train", "arch=lenet", *TRAIN, f"data={small_data}", f"run={name}", *words)
        assert done.returncode == 0, done.stderr
    done = command("compare", "s0", "s1", "w", "device=cpu", "data.workers=0", "sheet=d.png")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("evaluating ") == 3
    assert "s (2) is s0, s1" in done.stdout
    assert Image.open(tmp_path / "d.png").width > 100
    assert (tmp_path / "runs/s0/eval-center.csv").exists()
    again = command("compare", "s0", "s1", "w", "groups=none", "device=cpu", "data.workers=0")
    assert (again.returncode, again.stderr) == (0, ""), "what is there is not counted again"
    assert again.stdout.count("McNemar, exact") > 3
    (tmp_path / "runs/s0/checkpoints/last.pt").touch()
    assert "evaluating s0 first" in command("compare", "s0", "w", "device=cpu", "data.workers=0").stderr
    typo = command("compare", "s0", "s", "device=cpu")
    assert typo.returncode == 2
    assert "s is neither a run nor a file that `cnnbench eval` wrote, did you mean s1 or s0?" in typo.stderr
    shutil.rmtree(tmp_path / "runs/w")
    sweep = command("compare", "./runs", "device=cpu", "data.workers=0")
    assert sweep.returncode == 0, sweep.stderr
    assert "./runs" in sweep.stdout


def test_groups_are_told_apart_and_no_number_of_seeds_is_endless(command, tmp_path):
    for name, wrong in {"x1": 30, "x2": 60, "y1": 31, "y2": 60}.items():
        predictions(tmp_path / f"r{name}.csv", set(range(wrong)))
    flat = " ".join(command("compare", "rx1.csv+rx2.csv", "ry1.csv+ry2.csv", "classes=0").stdout.split())
    assert "rx (2) is rx1.csv, rx2.csv" in flat
    assert "takes more than 1,000 trainings of each to be shown" in flat
    same = " ".join(
        command("compare", "rx1.csv+rx2.csv", "./rx1.csv+./rx2.csv", "rx1.csv+ry1.csv", "classes=0").stdout.split()
    )
    assert "r (2) is rx1.csv, ry1.csv" in same


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to compare: name two runs or more"),
        (["a.csv"], "nothing to compare: name two runs or more"),
        (["a.csv", "a.csv"], "a.csv is named twice"),
        (["a.csv", "b.csv", "sheet=x.jpg"], "sheet=x.jpg needs the ending .png"),
        (["a.csv", "b.csv", "sheet=x.png"], "sheet= needs the images: give data=PATH"),
        (["a.csv", "b.csv", "against=c"], "against=c is none of what is compared: a.csv, b.csv"),
        (["a.csv", "x.json"], "x.json is not a result of `cnnbench eval`"),
        (["a.csv", "nothing"], "nothing is neither a run nor a file"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(command, tmp_path, words, said):
    predictions(tmp_path / "a.csv", {1})
    predictions(tmp_path / "b.csv", {2})
    (tmp_path / "x.json").write_text("{}")
    done = command("compare", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
