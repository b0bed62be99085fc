"""A report as Markdown, with its pictures as files beside it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import quote

from cnnbench.analysis.report.content import Code, Section
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.tables import Table, render
from cnnbench.runtime.errors import printable


def markdown(report: Section, folder: Path, foot: str) -> str:
    """The text of `report`, whose pictures lie in `folder` or below; `foot`: a line at its end."""
    return "\n\n".join([*_parts(report, 1, folder), "---", _plain(foot)]) + "\n"


def _parts(section: Section, level: int, folder: Path) -> list[str]:
    lines = [f"{'#' * level} {_plain(section.title)}"]
    for part in section.parts:
        if isinstance(part, Section):
            lines += _parts(part, level + 1, folder)
        elif isinstance(part, Table):
            lines.append(_table(part))
        elif isinstance(part, ReportPicture):
            lines.append(_picture(part, folder))
        elif isinstance(part, Code):
            lines.append("\n".join(f"    {printable(line)}" for line in part.text.splitlines()))
        else:
            lines.append(_plain(part))
    return lines


def _table(table: Table) -> str:
    return render(
        dataclasses.replace(
            table,
            title=_plain(table.title),
            columns={_plain(name): form for name, form in table.columns.items()},
            rows=[[_plain(cell) if isinstance(cell, str) else cell for cell in row] for row in table.rows],
            notes=[_plain(note) for note in table.notes],
        ),
        "markdown",
    )


def _picture(picture: ReportPicture, folder: Path) -> str:
    title, caption = _plain(picture.title), _plain(picture.caption)
    if picture.file is None:
        return f"**{title}**: no picture" + (f": {_plain(picture.missing)}" if picture.missing else "")
    return f"![{title}]({quote(picture.file.relative_to(folder).as_posix())})\n\n**{title}.** {caption}"


def _plain(text: str) -> str:
    """`text` on one line, without what Markdown or HTML would take for more than text."""
    return re.sub(r"([\\`*<\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", printable(" ".join(text.split())))
