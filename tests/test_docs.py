"""Every `cnnbench` command in the README and in docs/ is one: tools/run_docs.py without what takes minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_command_of_the_docs_runs(cache, tmp_path):
    words = [sys.executable, ROOT / "tools/run_docs.py", "--quick"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": cnnbench ") > 60
    assert "guide.md: cnnbench train" in done.stdout


def test_a_command_that_is_none_is_found(cache, tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import run_docs
    finally:
        sys.path.pop(0)
    assert run_docs.run(["train", "epochz=3"], check_only=True)[0] == 2
