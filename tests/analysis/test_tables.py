"""The four forms of a table."""

import csv
import io
import json

import pytest

from cnnbench.analysis.tables import Table, render

TABLE = Table("Nets", {"net": "", "error (%)": ".2f", "params": ""}, [("a|b", 1.5, 1234), ("c", None, 5)], ["a note"])


def test_plain_text_aligns_numbers_right_and_shows_empty_cells():
    assert render(TABLE).splitlines() == [
        "Nets",
        "",
        "net  error (%)  params",
        "---  ---------  ------",
        "a|b       1.50   1,234",
        "c            -       5",
        "",
        "- a note",
    ]


def test_names_of_columns_are_broken_before_texts():
    assert render(TABLE, width=18).splitlines()[2:6] == [
        "net  error  params",
        "       (%)",
        "---  -----  ------",
        "a|b   1.50   1,234",
    ]


def test_markdown_escapes_bars_and_aligns():
    lines = render(TABLE, "markdown").splitlines()
    assert lines[2:5] == ["| net | error (%) | params |", "| --- | ---: | ---: |", "| a\\|b | 1.50 | 1,234 |"]


def test_csv_and_json_hold_the_plain_values():
    assert list(csv.reader(io.StringIO(render(TABLE, "csv")))) == [
        ["net", "error (%)", "params"],
        ["a|b", "1.5", "1234"],
        ["c", "", "5"],
    ]
    contents = json.loads(render(TABLE, "json"))
    assert contents["rows"][1] == {"net": "c", "error (%)": None, "params": 5}
    assert contents["notes"] == ["a note"]
    assert len(json.loads(render([TABLE, TABLE], "json"))) == 2


def test_long_texts_are_broken_at_spaces_and_long_words_lose_their_middle():
    table = Table("", {"what": "", "says": ""}, [("features.denseblock4.denselayer24.norm1", "several words " * 9)])
    lines = render(table, width=60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert len(lines) > 4
    assert "…" in lines[2]
    assert lines[2].startswith("features.")
    assert " ".join(lines[2:]).count("several") == 9


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="3 columns, but a row of 2"):
        Table("t", {"a": "", "b": "", "c": ""}, [(1, 2)])


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="no table form 'html': choose one of table, markdown, csv, json"):
        render(TABLE, "html")


def test_columns_that_differ_by_blanks_alone_are_refused():
    """Markdown and HTML show them as one, and lose a cell."""
    with pytest.raises(ValueError, match="two columns have one name"):
        Table("t", {"from": "", "from ": ""}, [(1, 2)])
