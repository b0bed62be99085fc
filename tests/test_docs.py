"""Every `cnnbench` command in the README and in docs/ is composed and checked, the first of each kind runs, on small
stand-ins: tools/run_docs.py, in two parts. Without --short the tool runs them all.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import run_docs
import write_docs

from cnnbench.archs.registry import names

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FIRST = ("README.md", "commands.md", "guide.md", "tutorial.md")  # about half the work
RECIPES = [file.stem for file in ROOT.glob("conf/recipe/*.yaml")]
REST = tuple(page.name for page in sorted(ROOT.glob("docs/*.md")) if page.name not in FIRST)


@pytest.mark.parametrize(
    ("pages", "commands", "runs", "one"),
    [(FIRST, 70, 15, "commands.md: cnnbench eval"), (REST, 70, 6, "benchmarks.md: cnnbench bench")],
    ids=["README, commands, guide, tutorial", "the rest"],
)
def test_the_commands_of_the_docs(pages: tuple[str, ...], commands: int, runs: int, one: str, cache, tmp_path):
    words = [sys.executable, ROOT / "tools/run_docs.py", "--short", *pages]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": cnnbench ") >= commands
    assert done.stdout.count(": exit status ") >= runs
    assert one in done.stdout


@pytest.mark.parametrize(
    ("words", "second"),
    [([], "cnnbench train epochz=3"), (["--short"], "cnnbench train epochz=3"), (["--short"], "cnnbench zoo srt=macs")],
    ids=["run", "first of its kind", "composed"],
)
def test_a_page_with_a_command_that_is_none_fails(words, second, cache, tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"    cnnbench zoo   # fine\n    {second}\n")
    monkeypatch.setattr(run_docs, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNBENCH_CACHE", str(cache))
    assert run_docs.main(words) == 1


@pytest.mark.parametrize(
    ("page", "words"),
    [("README.md", "[{} of them]"), ("docs/guide.md", "[{} keys]"), ("docs/predict.md", "all {} networks")],
)
def test_pages_say_how_many_networks_there_are(page, words):
    assert words.format(len(names())) in (ROOT / page).read_text()


@pytest.mark.parametrize(("page", "keys"), [("every-recipe.md", RECIPES), ("every-network.md", names())])
def test_each_of_them_has_its_line(page, keys):
    lines = re.findall(r"^\| (\w+) \|", (ROOT / "docs" / page).read_text(), re.M)
    assert set(lines[1:]) == set(keys)


@pytest.mark.parametrize("name", write_docs.PAGES)
def test_generated_pages_are_what_the_program_says(name, command):
    done = command(*write_docs.PAGES[name][1], "format=markdown")
    assert (ROOT / "docs" / name).read_text() == write_docs.page(name, done.stdout), "run `make docs`"
