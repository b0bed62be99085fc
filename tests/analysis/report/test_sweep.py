"""What a sweep ends with, of hand-made points."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml
from composing import composed

from cnnbench.analysis.report.run import find_runs
from cnnbench.analysis.report.sweep import points_table, report_sweep
from cnnbench.config.batch import with_batch

pytestmark = pytest.mark.slow


def test_a_line_for_each_point_with_what_differs_and_the_least_error(tmp_path, capsys):
    for number, (rate, wrong) in enumerate(((0.1, 30), (0.2, 20), (0.3, None))):
        folder = tmp_path / "sweep" / str(number)
        folder.mkdir(parents=True)
        config = with_batch(composed("arch=lenet", "recipe=quick", f"optimizer.lr={rate}"), 1)
        (folder / "config.yaml").write_text(yaml.safe_dump(dataclasses.asdict(config)))
        if wrong is not None:
            counts = {"wrong_top1": wrong, "wrong_top5": 1, "n": 100, "protocol": "center", "training_seconds": 61.0}
            (folder / "result.json").write_text(json.dumps(counts))
    table = points_table(find_runs([str(tmp_path / "sweep")])[0])
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["optimizer.lr"], row["top-1 error %"], row["best"]) for row in rows] == [
        ("0.1", 30.0, ""),
        ("0.2", 20.0, "*"),
        ("0.3", None, ""),
    ]
    assert (rows[0]["training"], rows[0]["state"]) == ("0:01:01", None)
    assert rows[2]["state"].startswith("not ended: 0 of")
    report_sweep(tmp_path / "nothing")
    assert capsys.readouterr() == ("", ""), "points that lie elsewhere are not looked for"
    (tmp_path / "sweep/report").write_text("a file in the way")
    report_sweep(tmp_path / "sweep")
    said = capsys.readouterr()
    assert "3 points" in said.out
    assert "note: no report of the sweep: " in said.err, "the runs are there, and nothing else fails"
