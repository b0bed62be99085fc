"""One small table type and its four forms: aligned plain text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from cnnbench.config.analyse import FORMATS
from cnnbench.runtime.cells import csv_cell
from cnnbench.runtime.errors import printable
from cnnbench.runtime.terminal import columns

TEXT_WIDTH = 120  # columns of plain text
NARROWEST_TEXT = 12  # columns that a narrowed text column keeps

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """A title, named columns, rows of cells and notes below.

    `columns` maps each name to the format of its numbers, such as ".2f"; "" shows whole numbers with thousands
    separators and other numbers as they are. None is an empty cell. `records`: what lies behind the rows, in plain
    values, for a command that keeps more than it shows.
    """

    title: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    records: Sequence[dict[str, Any]] = ()

    def __post_init__(self) -> None:
        if len({" ".join(name.split()) for name in self.columns}) < len(self.columns):
            raise ValueError(f"table '{self.title}': two columns have one name, but for blanks: {list(self.columns)}")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table '{self.title}': {len(self.columns)} columns, but a row of {len(row)}: {row}")


def render(tables: Table | Iterable[Table], form: str = "table", width: int | None = None) -> str:
    """All tables as one text in one of FORMATS, without a final newline. Raises ValueError for another form.

    Plain text is at most `width` columns wide (None: the terminal's, or TEXT_WIDTH), as long as breaking the longest
    texts into lines can do it. CSV holds the rows as they are (several tables: one after another, an empty line
    between), JSON also titles and notes.
    """
    tables = [tables] if isinstance(tables, Table) else list(tables)
    if form == "json":
        contents = [_as_dict(table) for table in tables]
        text = json.dumps(contents[0] if len(contents) == 1 else contents, indent=2, ensure_ascii=False)
        return "".join(
            letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text
        )
    if form == "table":
        width = columns(TEXT_WIDTH, sys.stdout) if width is None else width
        return "\n\n".join(_plain(table, width) for table in tables)
    if form == "markdown":
        return "\n\n".join(_markdown(table) for table in tables)
    if form == "csv":
        return "\n\n".join(as_csv(list(table.columns), table.rows) for table in tables)
    raise ValueError(f"no table form '{form}': choose one of {', '.join(FORMATS)}")


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A header and rows with commas, quoted where needed; None is empty. No final newline."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([csv_cell(cell) for cell in row] for row in (columns, *rows))
    return text.getvalue().rstrip("\n")


def _as_dict(table: Table) -> dict[str, Any]:
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {"title": table.title, "rows": rows, "notes": list(table.notes)}


def _plain(table: Table, width: int) -> str:
    cells, right = text_cells(table), numeric_columns(table)
    widths = _widths(table, cells, right, width)
    lines = [printable(table.title), ""] if table.title else []
    for row in ([printable(name) for name in table.columns], ["-" * w for w in widths], *cells):
        wrapped = [_wrap(cell, w) for cell, w in zip(row, widths, strict=True)]
        for parts in zip_longest(*wrapped, fillvalue=""):
            padded = (p.rjust(w) if r else p.ljust(w) for p, w, r in zip(parts, widths, right, strict=True))
            lines.append("  ".join(padded).rstrip())
    if table.notes:
        lines.append("")
    for note in table.notes:
        lines += textwrap.wrap(printable(note), width, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines)


def _widths(table: Table, cells: list[list[str]], right: list[bool], width: int) -> list[int]:
    """Widths that show all in one line; if that is too wide, names and then texts are broken, the widest first."""
    widths = [max(len(name), *(len(row[i]) for row in cells), 0) for i, name in enumerate(table.columns)]
    words = [max(map(len, name.split())) for name in table.columns]
    bodies = [max(words[i], *(len(row[i]) for row in cells), 0) for i in range(len(widths))]
    texts = [
        body if r else min(body, max(NARROWEST_TEXT, word)) for body, word, r in zip(bodies, words, right, strict=True)
    ]
    for narrowest in (bodies, texts):
        while sum(widths) + 2 * (len(widths) - 1) > width:
            room = [i for i in range(len(widths)) if widths[i] > narrowest[i]]
            if not room:
                break
            widths[max(room, key=lambda i: widths[i])] -= 1
    return widths


def _wrap(cell: str, width: int) -> list[str]:
    """`cell` in lines of `width` columns, broken at spaces; a longer word loses its middle."""
    lines = textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [_shorten(line, width) for line in lines]


def _markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = ["---:" if right else "---" for right in numeric_columns(table)]
    lines = [f"**{printable(table.title)}**", ""] if table.title else []
    lines += [line(map(printable, table.columns)), line(rule), *(line(row) for row in text_cells(table))]
    if table.notes:
        lines += ["", *(f"- {printable(note)}" for note in table.notes)]
    return "\n".join(lines)


def text_cells(table: Table) -> list[list[str]]:
    """The rows of `table` as they are shown."""
    formats = table.columns.values()
    return [[_text(cell, form) for cell, form in zip(row, formats, strict=True)] for row in table.rows]


def _text(cell: Cell, form: str) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return printable(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return format(cell, form or ("," if isinstance(cell, int) else ""))


def numeric_columns(table: Table) -> list[bool]:
    """Which columns hold numbers only, and so are aligned right."""
    return [all(_is_number(row[i]) for row in table.rows) for i in range(len(table.columns))]


def _is_number(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _shorten(text: str, width: int) -> str:
    """`text` in `width` columns: a longer one loses its middle."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
