"""Every `cnnbench` command in the README and in docs/ runs: tools/run_docs.py, on small stand-ins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.name for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")) if "    cnnbench " in page.read_text()
)
APART = ("guide.md", "benchmarks.md")  # the longest, each in a process of its own


@pytest.mark.parametrize("pages", [[name] for name in APART] + [[name for name in PAGES if name not in APART]])
def test_every_command_of_the_docs_runs(pages, cache, tmp_path):
    assert set(pages) <= set(PAGES)
    words = [sys.executable, ROOT / "tools/run_docs.py", *pages]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{name}: cnnbench " in done.stdout for name in pages)
