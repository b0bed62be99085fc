"""Names that a terminal, a page or a spreadsheet would obey: they are shown, and never obeyed."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

CLASSES = ("=HYPERLINK(1)", "\x1b[31mred", "<script>alert(1)<", "a\nb", "\u202egnp", "caf\udce9")
WORDS = ("arch=lenet", "recipe=quick", "epochs=1", "batch=4", "data.workers=0", "logger=[]", "device=cpu", "run=./one")


@pytest.fixture
def hostile(small_data: Path, tmp_path: Path) -> Path:
    """A class of each name, with images of names like it, and one that is broken."""
    photo = next((small_data / "val/bag").iterdir())
    for split in ("train", "val"):
        for name in CLASSES:
            folder = os.fsencode(tmp_path / "data" / split / name)
            os.makedirs(folder)
            for number in range(3):
                shutil.copy(photo, folder + b"/" + os.fsencode(f"{number}{name.replace('<', '')}.png"))
    (tmp_path / "data/train" / CLASSES[1] / "\x1b]0;title\x07.png").write_bytes(b"broken")
    return tmp_path / "data"


def shown(text: str) -> bool:
    """Whether a terminal shows all of `text` and obeys none of it."""
    return all(letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs") for letter in text)


def test_nothing_that_is_printed_is_raw(command, hostile, tmp_path):
    for words in (
        *(["data", "check", f"data={hostile}", "workers=0"], ["data", "index", f"data={hostile}"]),
        *(["data", "show", f"data={hostile}", "count=1"], ["data", "stats", f"data={hostile}", "workers=0"]),
        ["data", "pack", f"data={hostile}", "output=packed", "workers=0", "skip_broken=true"],
    ):
        done = command(*words)
        assert done.returncode in (0, 1, 2), done.stderr
        assert shown(done.stdout + done.stderr), done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_run_its_details_and_its_report_hold_them_escaped(command, hostile, tmp_path):
    for words in (
        ["train", f"data={hostile}", *WORDS],
        ["eval", "run=./one", "details=one/details", "data.workers=0", "device=cpu"],
        ["report", "./one", "output=report"],
    ):
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert shown(done.stdout + done.stderr)
    for name in ("one/details/per_class.csv", "one/details/predictions.csv", "one/details/confusion.csv"):
        text = (tmp_path / name).read_text()
        assert shown(text), name
        assert "'=HYPERLINK(1)" in text, name
        assert not any(f"{before}=HYPERLINK" in text for before in "\n,"), name
    page = (tmp_path / "report/report.html").read_text()
    assert shown(page)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert shown((tmp_path / "report/report.md").read_text())
    assert shown((tmp_path / "report/results.csv").read_text())
