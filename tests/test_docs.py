"""Every `cnnbench` command in the README and in docs/ runs, on small stand-ins: tools/run_docs.py, in two parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIRST = ("README.md", "guide.md")  # about half the work
REST = tuple(page.name for page in sorted(ROOT.glob("docs/*.md")) if page.name not in FIRST)


@pytest.mark.parametrize(
    ("pages", "commands", "one"),
    [(FIRST, 36, "guide.md: cnnbench train"), (REST, 25, "benchmarks.md: cnnbench bench")],
    ids=["README and guide", "the rest"],
)
def test_every_command_of_the_docs_runs(pages: tuple[str, ...], commands: int, one: str, cache, tmp_path):
    words = [sys.executable, ROOT / "tools/run_docs.py", *pages]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": cnnbench ") >= commands
    assert one in done.stdout


def test_a_page_with_a_command_that_is_none_fails(cache, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import run_docs

    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("    cnnbench zoo   # fine\n    cnnbench train epochz=3\n")
    monkeypatch.setattr(run_docs, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNBENCH_CACHE", str(cache))
    assert run_docs.main([]) == 1
