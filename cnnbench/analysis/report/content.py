"""What a report consists of, whatever it is rendered as: sections of paragraphs, code, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.analysis.report.picture import ReportPicture
from cnnbench.analysis.tables import Table


@dataclass(frozen=True)
class Code:
    """Lines that are shown as they are."""

    text: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in order; a str is a paragraph. Sections within a section are one lower."""

    title: str
    parts: tuple[str | Code | Table | ReportPicture | Section, ...]


def sections(section: Section) -> list[Section]:
    """The sections directly within `section`."""
    return [part for part in section.parts if isinstance(part, Section)]
