"""The bundled sample: balanced, real, and safe to unpack from several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile

import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def test_sample_is_balanced_and_readable(sample):
    for split, count in (("train", 1000), ("val", 200)):
        classes = sorted(folder.name for folder in (sample / split).iterdir())
        assert len(classes) == 10
        assert all(len(list((sample / split / name).iterdir())) == count for name in classes)
    with Image.open(next((sample / "train/bag").iterdir())) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (28, 28), "L")
    assert "Zalando" in (sample / "LICENSE").read_text()


def test_several_processes_may_unpack_at_once(tmp_path, sample):
    archive = tmp_path / "small.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(sample / "val", "val")
    script = (
        "from pathlib import Path; from cnnbench.data.sample import sample; "
        f"sample.ARCHIVE = Path('{archive}'); f = sample.sample_folder(); print(f, len(list(f.rglob('*.png'))))"
    )
    environment = {**os.environ, "CNNBENCH_CACHE": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0].strip() for process in started}
    assert len(answers) == 1
    assert answers.pop().endswith(" 2000")
    assert len(list((tmp_path / "cache").iterdir())) == 1, "no scratch folder is left"


def test_unwritable_cache_is_a_clear_error(command, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "file" / "cache"))
    done = command("train", "recipe=quick")
    assert done.returncode == 2
    assert "set CNNBENCH_CACHE" in done.stderr
    assert done.stderr.count("\n") == 1
