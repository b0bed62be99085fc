"""A report as one HTML page that needs no network and no script: style and pictures are in it."""

from __future__ import annotations

import base64
import html
from importlib.resources import files
from itertools import count

from cnnbench.analysis.report.content import Code, Section, sections
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.tables import Table, numeric_columns, text_cells
from cnnbench.runtime.errors import printable

LINES = "\n\t"  # in texts of several lines

WORDS = 24  # letters from which on a column of texts keeps the width of several words
CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # a browser is to load nothing else


def escape(text: str) -> str:
    """`text` as HTML shows it, in printable letters: no other turns the direction of what follows, or ends the page."""
    return html.escape("".join(letter if letter in LINES else printable(letter) for letter in text))


def page(report: Section, foot: str) -> str:
    """The whole page of `report`, whose title is the page's, its first section before the contents; `foot`: a line at
    its end. Reads the pictures' files."""
    style = files("cnnbench.analysis.report").joinpath("page.css").read_text(encoding="utf-8")
    anchors = _anchors(report)
    body = "\n".join(_part(part, 2, anchors) for part in report.parts if not isinstance(part, Section))
    first, *others = [_part(part, 2, anchors) for part in sections(report)] or [""]
    rest = "\n".join(others)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{escape(CONTENT_POLICY)}">
<title>{escape(report.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(report.title)}</h1>
{body}
</header>
<main>
{first}
<nav aria-label="Contents">
<h2>Contents</h2>
{_contents(report, anchors)}
</nav>
{rest}
</main>
<footer><p>{escape(foot)}</p></footer>
</body>
</html>
"""


def _anchors(report: Section) -> dict[int, str]:
    """An id for each section, by its identity: titles may be equal, and hold any character."""
    numbers, found, waiting = count(1), {}, sections(report)
    while waiting:
        section = waiting.pop(0)
        found[id(section)] = f"section-{next(numbers)}"
        waiting = sections(section) + waiting
    return found


def _contents(section: Section, anchors: dict[int, str], depth: int = 2) -> str:
    """A list of the sections within `section`, `depth` levels of them."""
    below = sections(section)
    if not below or depth == 0:
        return ""
    items = [
        f'<li><a href="#{anchors[id(part)]}">{escape(part.title)}</a>{_contents(part, anchors, depth - 1)}</li>'
        for part in below
    ]
    return f"<ol>\n{''.join(items)}\n</ol>"


def _part(part: str | Code | Table | ReportPicture | Section, level: int, anchors: dict[int, str]) -> str:
    if isinstance(part, Section):
        inside = "\n".join(_part(inner, level + 1, anchors) for inner in part.parts)
        title = f'<h{level} id="{anchors[id(part)]}">{escape(part.title)}</h{level}>'
        return f"<section>\n{title}\n{inside}\n</section>"
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, ReportPicture):
        return _picture(part)
    return f"<pre>{escape(part.text)}</pre>" if isinstance(part, Code) else f"<p>{escape(part)}</p>"


def _table(table: Table) -> str:
    """A table in a box of its own that scrolls where the page is too narrow, reachable by keyboard."""
    cells = [
        ["" if cell is None else text for cell, text in zip(row, texts, strict=True)]
        for row, texts in zip(table.rows, text_cells(table), strict=True)
    ]
    lengths = [max((len(row[i]) for row in cells), default=0) for i in range(len(table.columns))]
    kinds = [
        ' class="number"' if is_number else ' class="words"' if length > WORDS else ""
        for is_number, length in zip(numeric_columns(table), lengths, strict=True)
    ]

    def line(row: list[str], tag: str = "td", scope: str = "") -> str:
        filled = [f"<{tag}{scope}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(row, kinds, strict=True)]
        return f"<tr>{''.join(filled)}</tr>"

    head = line(list(table.columns), "th", ' scope="col"')
    rows = "\n".join(line(row) for row in cells)
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(table.title)}">\n<table>\n'
        f"<caption>{escape(table.title)}</caption>\n<thead>{head}</thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>" + (f'\n<ul class="notes">{notes}</ul>' if notes else "")
    )


def _picture(picture: ReportPicture) -> str:
    if picture.file is None:
        why = f"no picture: {picture.missing}" if picture.missing else "no picture"
        return f'<p class="missing"><strong>{escape(picture.title)}</strong>: {escape(why)}</p>'
    content = base64.b64encode(picture.file.read_bytes()).decode("ascii")
    kind, drawn = ("svg+xml", ' class="drawn"') if picture.file.suffix == ".svg" else ("png", "")
    words = f"<figcaption><strong>{escape(picture.title)}.</strong> {escape(picture.caption)}</figcaption>"
    alt = f"{picture.title}: {picture.caption}"
    return f'<figure>\n<img{drawn} src="data:image/{kind};base64,{content}" alt="{escape(alt)}">\n{words}\n</figure>'
