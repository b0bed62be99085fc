"""The page of the lecture: every claim once, in order, with its picture in it."""

from __future__ import annotations

import re

from cnnbench.analysis.lecture import page
from cnnbench.analysis.lecture.claims import LECTURE

SHOWN = ("ilsvrc", "winners_by_year", "relu", "first_places")


def test_the_page_holds_the_claims_in_order(command, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "LECTURE", {name: LECTURE[name] for name in SHOWN})
    done = command("lecture", "all=true", "output=page")
    assert done.returncode == 0, done.stderr
    assert "4 claims" in done.stdout
    text = (tmp_path / "page/lecture.html").read_text()
    titles = [LECTURE[name].title for name in SHOWN]
    assert re.findall("<h3[^>]*>(.*?)</h3>", text) == titles
    assert text.count("data:image/png;base64,") == 2, "winners_by_year and relu"
    assert not re.search(r'(src|href)="(?!#|data:image/png)', text), "the page loads nothing"
    assert "cnnbench lecture first_places" in text
    assert sorted(file.name for file in (tmp_path / "page/plots").iterdir()) == ["relu.png", "winners_by_year.png"]


def test_a_claim_whose_run_is_not_kept_says_so(command, tmp_path, monkeypatch):
    from cnnbench.analysis.lecture import trained

    monkeypatch.setattr(trained, "trained", dict)
    monkeypatch.setattr(page, "LECTURE", {"augmentation": LECTURE["augmentation"]})
    assert command("lecture", "all=true", "output=page").returncode == 0
    text = (tmp_path / "page/lecture.html").read_text()
    assert "no picture: no run of it is kept: python tools/lecture_runs.py trains it" in text
    assert "not run yet: no result is kept" in text


def test_the_list_needs_neither_torch_nor_matplotlib(cnnbench):
    """Its start is what a user waits for."""
    import subprocess
    import sys

    code = "import sys; import cnnbench.analysis.lecture.command; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
