"""compile=true: what is compiled in a run and in an evaluation, by a backend that compiles nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.compiling import counted_graphs

SHORT = ("recipe=quick", "epochs=2", "batch=20", "eval_batch=10", "data.workers=0", "compile=true")


@pytest.mark.parametrize("average", ["none", "ema"])
def test_training_and_validation_are_one_graph_each(
    average: str, command: Run, small_data: Path, tmp_path: Path
) -> None:
    """23 validation images in batches of 10, twice: the last, smaller one is no graph of its own."""
    with counted_graphs() as shapes:
        done = command("train", *SHORT, f"average={average}", f"data={small_data}", "run=one")
        assert done.returncode == 0, done.stderr
        assert "compiled" in done.stdout
        assert [shape[0] for shape in shapes] == [20, 10] + [10] * (average == "ema")


@pytest.mark.parametrize("protocol", ["center", "ten_crop"])
def test_an_evaluation_is_one_graph_and_gives_the_same_counts(
    protocol: str, command: Run, small_data: Path, tmp_path: Path
) -> None:
    command("train", *SHORT[:-1], "max_steps=1", f"data={small_data}", "run=one")
    words = ("eval", "run=one", f"protocol={protocol}", "batch=100", "data.workers=0")
    plain = command(*words)
    with counted_graphs() as shapes:
        done = command(*words, "compile=true")
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    assert len(shapes) == 1
