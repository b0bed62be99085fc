"""Tables of a report hold what applies: columns and rows without any value are left out."""

from __future__ import annotations

from dataclasses import replace

from cnnbench.analysis.report.content import Section
from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.tables import Table


def without_empty(table: Table) -> Table:
    """`table` without the columns in which no row has anything; a table without rows as it is."""
    kept = [i for i in range(len(table.columns)) if any(row[i] not in (None, "") for row in table.rows)]
    if not kept or len(kept) == len(table.columns):
        return table
    columns = list(table.columns.items())
    return replace(
        table, columns=dict(columns[i] for i in kept), rows=[tuple(row[i] for i in kept) for row in table.rows]
    )


def tidy(section: Section) -> Section:
    """`section` without what does not apply: empty columns, tables without rows, and pictures that cannot be drawn,
    which one line names; and sections that are then empty."""
    parts: list = []
    missing = []
    for part in section.parts:
        if isinstance(part, Section):
            inner = tidy(part)
            parts += [inner] if inner.parts else []
        elif isinstance(part, Table):
            parts += [without_empty(part)] if part.rows else []
        elif isinstance(part, ReportPicture) and part.file is None:
            missing.append(f"{part.title} ({part.missing})" if part.missing else part.title)
        else:
            parts.append(part)
    if missing:
        parts.append(f"Not drawn: {'; '.join(missing)}.")
    return replace(section, parts=tuple(parts))
