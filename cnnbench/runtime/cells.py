"""Cells of a CSV file: of names that anyone may have chosen, for programs that run what looks like a formula."""

from __future__ import annotations

from cnnbench.runtime.errors import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a cell for one to compute


def csv_cell(value: object) -> object:
    """`value` as it is written: a text in printable letters, with an apostrophe in front where a spreadsheet would
    compute it. Numbers, also as text, stay as they are."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(FORMULA) and not _is_number(value) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
