"""What a report opens with, of hand-made runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from composing import composed

from cnnbench.analysis.report.against_cost import error_against_cost
from cnnbench.analysis.report.build import build_report
from cnnbench.analysis.report.content import Section
from cnnbench.analysis.report.headline import headline
from cnnbench.analysis.report.run import Run, read_folder
from cnnbench.analysis.report.table import tidy, without_empty
from cnnbench.analysis.tables import Table
from cnnbench.config.batch import with_batch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipes():
    """Two recipes of one network, each with three seeds."""
    return {
        (rate, seed): with_batch(composed("arch=lenet", "recipe=quick", f"optimizer.lr={rate}", f"seed={seed}"), 1)
        for rate in (0.1, 0.2)
        for seed in (0, 1, 2)
    }


def make_run(folder: Path, config, wrong: int, answers: bool = False, **more) -> Run:
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(dataclasses.asdict(config)))
    result = {"wrong_top1": wrong, "wrong_top5": 0, "n": 1000, "protocol": "center", "training_seconds": 60.0 + wrong}
    (folder / "result.json").write_text(json.dumps(result | {"params": 62_006} | more))
    if answers:
        lines = [f"a/{i}.png,a,{int(i < wrong)}" for i in range(1000)]
        (folder / "eval-center.csv").write_text("\n".join(["image,class,rank", *lines]) + "\n")
    return read_folder(folder)


def test_the_best_the_ranking_and_what_is_more_than_chance(tmp_path, recipes):
    wrong = {(0.1, 0): 200, (0.1, 1): 204, (0.1, 2): 202, (0.2, 0): 250, (0.2, 1): 252, (0.2, 2): 257}
    runs = [make_run(tmp_path / f"r{rate}-{seed}", recipes[rate, seed], wrong[rate, seed]) for rate, seed in wrong]
    lead, sentence, ranking = headline(runs)
    assert lead.startswith("Best: ")
    assert "with 20.20 % top-1 error, mean of 3 seeds (1,000 images of " in lead
    assert "by 5.10 points of top-1 error" in sentence
    assert "(t over seeds); 3 and 3 trainings" in sentence
    rows = [dict(zip(ranking.columns, row, strict=True)) for row in ranking.rows]
    assert [(row["rank"], row["seeds"], row["to the best"]) for row in rows] == [
        (1, 3, None),
        (2, 3, pytest.approx(5.1)),
    ]
    assert rows[0]["training"] == "0:04:22"
    assert rows[0]["deviation"] == pytest.approx(0.2)


def test_answers_for_single_images_are_paired_where_they_are_kept(tmp_path, recipes):
    first = make_run(tmp_path / "first", recipes[0.1, 0], 200, answers=True)
    second = make_run(tmp_path / "second", recipes[0.2, 0], 206, answers=True)
    assert "p = 0.031 (McNemar, exact)" in headline([first, second])[1]
    (second.folder / "eval-center.csv").write_text("image,class,rank\na/1.png,a,0\n")
    assert "p = 0.74 (counts, unpaired)" in headline([first, second])[1], "answers of other weights are not taken"
    assert headline([first, second])[0].startswith("Lowest, by no more than chance may explain: ")


def test_one_run_a_run_on_other_images_and_none(tmp_path, recipes):
    one = make_run(tmp_path / "one", recipes[0.1, 0], 200)
    assert headline([one])[0].startswith("Reached: ")
    assert len(headline([one])) == 1
    again = make_run(tmp_path / "again", recipes[0.1, 1], 210)
    other = make_run(tmp_path / "other", recipes[0.2, 0], 20, n=100)
    said = headline([one, again, other])
    assert said[-2].startswith("Counted on other images or by another protocol, and not ranked: ")
    assert said[-2].endswith("other.")
    assert headline([]) == []


def test_a_run_stands_by_its_own_images_and_not_by_a_test_set(tmp_path, recipes):
    run = make_run(tmp_path / "run", recipes[0.1, 0], 200)
    counts = {"wrong_top5": 0, "protocol": "center", "data": run.config.data.path}
    for name, more in {
        "center": {"wrong_top1": 200, "n": 1000},
        "center-imagenet-a": {"wrong_top1": 90, "n": 100, "data": "/imagenet-a"},
        "center-real": {"wrong_top1": 150, "n": 900, "labels": "/real.json"},
    }.items():
        (run.folder / f"eval-{name}.json").write_text(json.dumps(counts | more))
    assert "with 20.00 % top-1 error (1,000 images" in headline([read_folder(run.folder)])[0]


def test_error_against_cost_has_a_point_for_each_run_and_a_name_for_each_group(tmp_path, recipes):
    wrong = {(0.1, 0): 200, (0.1, 1): 204, (0.2, 0): 250}
    runs = [make_run(tmp_path / f"r{rate}-{seed}", recipes[rate, seed], wrong[rate, seed]) for rate, seed in wrong]
    figure, caption = error_against_cost(runs)
    (axes,) = figure.axes
    points = [list(zip(*line.get_data(), strict=True)) for line in axes.get_lines()]
    assert points[0] == [(pytest.approx(260 / 60), 20.0), (pytest.approx(264 / 60), 20.4)]
    assert axes.get_xlabel() == "time of training (min)"
    assert "Down and to the left is better" in caption
    assert error_against_cost(runs[:1])[0] is None


def test_what_does_not_apply_is_left_out(tmp_path, recipes):
    table = Table("t", {"a": "", "b": "", "c": ""}, [(1, None, ""), (2, None, "x")])
    assert list(without_empty(table).columns) == ["a", "c"]
    empty = Section("whole", (Table("none", {"a": ""}, []), Section("inner", (Table("none", {"a": ""}, []),))))
    assert tidy(empty).parts == ()
    report = build_report([make_run(tmp_path / "one", recipes[0.1, 0], 200)], [], [], "R", [])
    assert [part.title for part in report.parts if isinstance(part, Section)][:2] == ["In short", "Results"]
    tables = [part for section in report.parts if isinstance(section, Section) for part in section.parts]
    for part in tables:
        if isinstance(part, Table):
            assert all(any(row[i] is not None for row in part.rows) for i in range(len(part.columns))), part.title
