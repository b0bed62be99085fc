"""The table of docs/results.md is that of docs/results.csv, as tools/results.py writes it."""

from __future__ import annotations

from pathlib import Path

import results

from cnnbench.analysis.tables import render

ROOT = Path(__file__).parents[1]


def test_the_page_shows_what_the_file_holds():
    rows = list(results.kept().values())
    page = (ROOT / "docs/results.md").read_text()
    assert page.endswith("\n\n" + render(results.results_table(rows), "markdown").strip() + "\n")
    assert f"\nNot trained: {results.not_trained({row['network'] for row in rows})}.\n" in page
    assert len(rows) > 60
