"""The README's table of results is that of docs/results.csv, as tools/results.py writes it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_shows_what_the_file_holds(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import results

    shown = (ROOT / "README.md").read_text().split(results.BEGIN)[1].split(results.END)[0]
    assert shown == results.readme_table()
    assert shown.count("\n") > 5
