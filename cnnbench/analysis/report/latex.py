"""The tables of a report for LaTeX: to be taken into a paper, with \\usepackage{booktabs}."""

from __future__ import annotations

from cnnbench.analysis.report.content import Section
from cnnbench.analysis.tables import Table, numeric_columns, text_cells
from cnnbench.runtime.errors import printable

SPECIAL = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
}


def latex(report: Section, foot: str) -> str:
    """Every table of `report` and of the sections within it, in their order; `foot`: a comment at the top."""
    lines = [f"% {printable(foot)}", r"% \usepackage{booktabs}", ""]
    return "\n".join([*lines, *(_table(table) for table in _tables(report))]) + "\n"


def _tables(section: Section) -> list[Table]:
    found = []
    for part in section.parts:
        if isinstance(part, Section):
            found += _tables(part)
        elif isinstance(part, Table) and part.rows:
            found.append(part)
    return found


def _table(table: Table) -> str:
    """Numbers to the right; an empty place where there is none; notes below."""
    cells = [
        ["" if cell is None else escape(text) for cell, text in zip(row, texts, strict=True)]
        for row, texts in zip(table.rows, text_cells(table), strict=True)
    ]
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape(table.title)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric_columns(table))}}}",
        r"\toprule",
        " & ".join(map(escape, table.columns)) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in cells),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escape(note)}" for note in table.notes),
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def escape(text: str) -> str:
    """`text` as LaTeX prints it, on one line."""
    return "".join(SPECIAL.get(letter, letter) for letter in printable(text))
