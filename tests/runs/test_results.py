"""What a run has reached is read as far as it is whole, and of the types that its readers count on."""

from __future__ import annotations

import json

import pytest

from cnnbench.runs.results import METRICS, RESULT, load_evaluations, load_metrics, load_result

WHOLE = {"wrong_top1": 3, "wrong_top5": 1, "n": 10, "protocol": "center"}


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "17", "\x00", "[" * 20000),
        *(
            json.dumps(WHOLE | wrong)
            for wrong in ({"n": "10"}, {"n": None}, {"n": 1.5}, {"protocol": 1}, {"top1_error": "x"})
        ),
        json.dumps({name: value for name, value in WHOLE.items() if name != "n"}),
    ],
)
def test_a_result_that_is_cut_or_something_else_is_none(tmp_path, content):
    for name in (RESULT, "eval-center.json"):
        (tmp_path / name).write_text(content)
    assert load_result(tmp_path) is None
    assert load_evaluations(tmp_path) == {"eval-center.json": None}


def test_a_whole_one_is_read_with_whatever_else_it_holds(tmp_path):
    said = WHOLE | {"top1_error": 30, "loss": None, "top1_interval": [1.0, 2.0], "arch": ["a", "b"], "later": {"x": 1}}
    (tmp_path / "eval-center.json").write_text(json.dumps(said))
    assert load_evaluations(tmp_path) == {"eval-center.json": said}
    (tmp_path / RESULT).write_text(json.dumps(WHOLE | {"top1_error": 30, "later": 1}))
    assert load_result(tmp_path)["top1_error"] == 30


@pytest.mark.parametrize("rest", ["", '{"epoch": 2', "[]", '{"epoch": "2"}', '{"step": 4}', "\x00", "[" * 20000])
def test_metrics_are_read_up_to_what_is_cut(tmp_path, rest):
    (tmp_path / METRICS).write_text('{"epoch": 1, "step": 3}\n' + rest)
    assert load_metrics(tmp_path) == [{"epoch": 1, "step": 3}]
